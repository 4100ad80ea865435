// Pulls the work messages of a queue, never more than there is room for: requested messages count as arrived.
import type { Consumer, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { sleep } from '@trellis/async';
import { fetchEach } from '@trellis/nats';

/** How long one pull stays open, in milliseconds. A stop waits for its end, so that no message is lost. */
const PULL_MS = 2_000;
const PULL_LATE_MS = 1_000;

export class WorkPull {
  readonly #room: () => number;
  readonly #receive: (message: JsMsg) => void;
  readonly #open = new Set<ConsumerMessages>();
  #requested = 0;
  #fault: unknown;
  #wake = Promise.withResolvers<void>();

  /** @param room how many messages may arrive, requested ones included */
  constructor(room: () => number, arrive: (message: JsMsg) => void) {
    this.#room = room;
    this.#receive = arrive;
  }

  /** Messages that may still come to open pulls. */
  get requested(): number {
    return this.#requested;
  }

  /** The room has changed. */
  roomChanged(): void {
    if (this.#due() > 0) this.#wake.resolve();
  }

  /** How many messages to request now: few large pulls rather than one per permit, but never none. */
  #due(): number {
    const free = this.#room() - this.#requested;
    return this.#requested > 0 && free < this.#requested ? 0 : free;
  }

  /** Pulls until `signal` aborts and no pull is open any more. @throws when a pull fails: the consumer or the server is gone */
  async run(consumer: Consumer, signal: AbortSignal): Promise<void> {
    this.#fault = undefined;
    const pulls = new Set<Promise<void>>();
    while (!signal.aborted) {
      const due = this.#due();
      if (due <= 0) {
        this.#wake = Promise.withResolvers<void>();
        await this.#wake.promise;
      } else {
        const pull = this.#pull(consumer, due).catch((error: unknown) => {
          this.#fault ??= error ?? new Error('a pull failed');
        });
        pulls.add(pull);
        void pull.then(() => {
          pulls.delete(pull);
          this.#wake.resolve();
        });
      }
      if (this.#fault !== undefined) throw this.#fault;
    }
    await Promise.all(pulls);
  }

  /** Resolves when `ended` does. An open pull ends by itself; one whose server is gone does not. */
  async end(ended: Promise<void>): Promise<void> {
    this.#wake.resolve();
    const timer = new AbortController();
    await Promise.race([ended, sleep(PULL_MS + PULL_LATE_MS, timer.signal)]);
    timer.abort();
    for (const messages of this.#open) messages.stop();
    await ended;
  }

  async #pull(consumer: Consumer, count: number): Promise<void> {
    let left = count;
    this.#requested += count;
    let messages: ConsumerMessages | undefined;
    let fault: unknown;
    const callback = (message: JsMsg) => {
      // A pull that was renewed after a reconnect may bring more than requested.
      if (left > 0) {
        left--;
        this.#requested--;
      }
      try {
        this.#receive(message);
      } catch (error) {
        fault ??= error;
        messages?.stop();
      }
    };
    try {
      messages = await fetchEach(consumer, { max_messages: count, expires: PULL_MS }, callback);
      this.#open.add(messages);
      fault ??= await messages.closed();
      if (fault !== undefined) throw fault;
    } finally {
      this.#requested -= left;
      if (messages) this.#open.delete(messages);
    }
  }
}
