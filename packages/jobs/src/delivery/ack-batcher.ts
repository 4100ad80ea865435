// Acks of finished work, gathered for a moment and sent together. Work whose ack gets lost is looked at again and found done.
import type { RequestPipe } from '@trellis/nats';
import type { Delivery } from './delivery.ts';

/**
 * Work that arrives meanwhile is in the stream when the acks come, so that these do not empty it: a server deletes the file
 * of an emptied stream and makes another one for the next message, which costs more than all else that it does for a job.
 */
const GATHER_MS = 20;

export class AckBatcher {
  readonly #pipe: RequestPipe;
  #due: Delivery[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(pipe: RequestPipe) {
    this.#pipe = pipe;
  }

  add(delivery: Delivery): void {
    this.#due.push(delivery);
    this.#timer ??= setTimeout(() => this.#send(), GATHER_MS);
  }

  /** Sends what was gathered so far at once. */
  async flush(): Promise<void> {
    this.#send();
    // The pipe writes at the end of this turn of the event loop.
    await new Promise((resolve) => void setImmediate(resolve));
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const delivery of this.#due.splice(0)) delivery.ackInBatch(this.#pipe);
  }
}
