// How many jobs are started before a handler is free for them, so that quick handlers do not wait for the stream: as many
// as handlers end while a start is under way. None while handlers are slow: a job that says `active` is one that runs, and
// what this process does not run others may. Pure; measured by the worker.

/** Handlers slower than this gain little; a job would wait as long for one of them to end. */
const QUICK_MS = 50;
/** Bounds what a process has in hand, however quick its handlers are: more would only wait longer, and be copied by the collector. */
const MOST = 100;
/** With more work of a key in hand, more of it begins in the change of the key's record that ends the one before. */
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

  /** A job was started; it took so long from the decision to the stored `started`. */
  started(ms: number): void {
    this.#startMs = average(this.#startMs, ms);
  }

  /** A handler has ended after so long. */
  handled(ms: number): void {
    this.#handlerMs = average(this.#handlerMs, ms);
  }

  /** Whether what waits for a handler to end waits briefly, as far as is known. */
  get handlersAreQuick(): boolean {
    return this.#handlerMs === undefined || this.#handlerMs <= QUICK_MS;
  }

  /** @param stuckMs for how long handlers have not moved on */
  limit(concurrency: number, stuckMs: number): number {
    if (this.#startMs === undefined || this.#handlerMs === undefined) return 0;
    if (!this.handlersAreQuick || stuckMs > QUICK_MS) return 0;
    const endMeanwhile = (concurrency * this.#startMs) / this.#handlerMs;
    return Math.min(this.#most, Math.round(endMeanwhile));
  }
}

const average = (before: number | undefined, ms: number): number =>
  before === undefined ? ms : before + (ms - before) * WEIGHT;
