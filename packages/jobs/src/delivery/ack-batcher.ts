// Ack batch: acks of finished deliveries are gathered and sent together. A lost ack is repaired by the next delivery.
import type { RequestPipe } from '@trellis/nats';
import type { Delivery } from './delivery.ts';

/**
 * Gathering time in milliseconds. New work arrives before the acks, so that these do not empty the stream: the server deletes
 * the file of an emptied stream and creates one for the next message, which costs more than the rest of a job.
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

  /** Sends the gathered acks now. */
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
