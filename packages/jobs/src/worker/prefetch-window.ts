// How many attempts start before a permit is free, so that quick handlers do not wait for the stream: as many as handlers end
// during one start. None while handlers are slow: an `active` job should run, and another instance may be free. Pure.

/** Handlers slower than this, in milliseconds, gain little from prefetch. */
const QUICK_MS = 50;
/** Largest window: more would only wait longer, and be copied by the garbage collector. */
const MOST = 100;
/** Largest window of a queue with keys: more jobs can then start in the change of the record that ends the previous one. */
const MOST_KEYED = 500;
/** Weight of the newest measurement in an average. */
const WEIGHT = 1 / 16;

export class PrefetchWindow {
  readonly #most: number;
  #startMs: number | undefined;
  #handlerMs: number | undefined;

  constructor({ keyed = false } = {}) {
    this.#most = keyed ? MOST_KEYED : MOST;
  }

  /** An attempt started: `ms` from the decision to the stored `started`. */
  started(ms: number): void {
    this.#startMs = average(this.#startMs, ms);
  }

  /** A handler ended after `ms`. */
  handled(ms: number): void {
    this.#handlerMs = average(this.#handlerMs, ms);
  }

  /** Whether handlers end quickly, as far as is known. */
  get handlersAreQuick(): boolean {
    return this.#handlerMs === undefined || this.#handlerMs <= QUICK_MS;
  }

  /** @param stuckMs milliseconds since a handler last ended while all permits are taken */
  limit(concurrency: number, stuckMs: number): number {
    if (this.#startMs === undefined || this.#handlerMs === undefined) return 0;
    if (!this.handlersAreQuick || stuckMs > QUICK_MS) return 0;
    const endMeanwhile = (concurrency * this.#startMs) / this.#handlerMs;
    return Math.min(this.#most, Math.round(endMeanwhile));
  }
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before + (ms - before) * WEIGHT;
