// Counts what is in flight, and how much of it still needs a handler: the rest is only being stored.
import { sleep } from '@trellis/async';

/** The two counters. */
interface Tally {
  started: number;
  unhandled: number;
}

/** The stage of one item in flight. */
export class Stage {
  readonly #tally: Tally;
  #unhandled = false;

  constructor(tally: Tally) {
    this.#tally = tally;
    this.unhandled();
  }

  /** Its handler runs, or is still to run. */
  unhandled(): void {
    if (!this.#unhandled) this.#tally.unhandled++;
    this.#unhandled = true;
  }

  handled(): void {
    if (this.#unhandled) this.#tally.unhandled--;
    this.#unhandled = false;
  }
}

export class InFlight {
  readonly #tally: Tally = { started: 0, unhandled: 0 };
  #idle = Promise.withResolvers<void>();

  /** Items whose handler runs, or is still to run. */
  get unhandled(): number {
    return this.#tally.unhandled;
  }

  /** Items whose handler has ended. */
  get finishing(): number {
    return this.#tally.started - this.#tally.unhandled;
  }

  /** Runs `work`, which never rejects. */
  run(work: (stage: Stage) => Promise<void>, ended: () => void): void {
    this.#tally.started++;
    const stage = new Stage(this.#tally);
    void work(stage).then(() => {
      stage.handled();
      this.#tally.started--;
      ended();
      if (this.#tally.started > 0) return;
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    });
  }

  /** Resolves when nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#tally.started > 0) await this.#idle.promise;
  }

  /** Resolves when nothing is in flight, at the latest after `ms`. */
  async idleWithin(ms: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.idle(), sleep(ms, timer.signal)]);
    timer.abort();
  }
}
