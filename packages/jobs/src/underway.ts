// The work that has been begun and not ended, and how much of it still needs a handler: the rest is only being stored.
import { abortable } from '@trellis/runtime';

/** Where one piece of work is. */
export class Stage {
  readonly #changed: (change: 1 | -1) => void;
  #unhandled = false;

  constructor(changed: (change: 1 | -1) => void) {
    this.#changed = changed;
    this.unhandled();
  }

  /** A handler is still to run for it, or runs. */
  unhandled(): void {
    if (!this.#unhandled) this.#changed(1);
    this.#unhandled = true;
  }

  handled(): void {
    if (this.#unhandled) this.#changed(-1);
    this.#unhandled = false;
  }
}

export class Underway {
  readonly #work = new Set<Promise<void>>();
  #unhandled = 0;

  /** Work whose handler is still to run, or runs. */
  get unhandled(): number {
    return this.#unhandled;
  }

  /** Work whose handler has ended. */
  get finishing(): number {
    return this.#work.size - this.#unhandled;
  }

  /** Begins work that never rejects. */
  begin(work: (stage: Stage) => Promise<void>, ended: () => void): void {
    const stage = new Stage((change) => {
      this.#unhandled += change;
    });
    const run = work(stage).finally(() => {
      stage.handled();
      this.#work.delete(run);
      ended();
    });
    this.#work.add(run);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  /** Resolves when nothing is under way, at the latest after `ms`. */
  async idleWithin(ms: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.idle(), abortable(timer.signal, ms)]);
    timer.abort();
  }
}
