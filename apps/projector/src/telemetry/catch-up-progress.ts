// Logs the progress of a pipeline during a long catch-up.
import type { Logger } from '@trellis/async';

const EVERY_MS = 5_000;
/** A backlog worth telling of. */
const BACKLOG = 10_000;

export class CatchUpProgress {
  readonly #log: Logger;
  readonly #pipeline: string;
  readonly #now: () => number;
  #since: number;
  #sinceEvents = 0;
  #events = 0;
  #telling = false;

  constructor(log: Logger, pipeline: string, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#pipeline = pipeline;
    this.#now = now;
    this.#since = now();
  }

  /** To be called after each batch. `remaining`: messages still waiting. */
  passed(events: number, position: number, remaining: number): void {
    this.#events += events;
    const now = this.#now();
    const elapsedMs = now - this.#since;
    if (remaining === 0 && this.#telling) {
      this.#telling = false;
      this.#log.info({ pipeline: this.#pipeline, position, events: this.#events }, 'caught up with the stream');
    }
    if (elapsedMs < EVERY_MS) return;
    if (remaining >= BACKLOG || this.#telling) {
      this.#telling = remaining > 0;
      const eventsPerSecond = Math.round(((this.#events - this.#sinceEvents) * 1000) / elapsedMs);
      const percent = Math.floor((100 * position) / (position + remaining));
      this.#log.info(
        { pipeline: this.#pipeline, position, percent, eventsPerSecond, remaining },
        'catching up with the stream',
      );
    }
    this.#since = now;
    this.#sinceEvents = this.#events;
  }
}
