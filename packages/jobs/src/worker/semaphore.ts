// The places in which handlers run: never more than `concurrency` at a time, in the order in which their jobs were started.
// How many jobs are started before a place is free is start-ahead.ts.
import { PatientLine } from './timeout-queue.ts';

export class HandlerSlots {
  readonly #size: number;
  readonly #line: PatientLine<(free: boolean) => void>;
  #taken = 0;
  #lastGivenBack = performance.now();
  #closed = false;

  /** @param patienceMs how long a started job may wait for its handler to begin */
  constructor(size: number, patienceMs: number) {
    this.#size = size;
    this.#line = new PatientLine(patienceMs, (begin) => begin(false));
  }

  /** Milliseconds for which the first in line has waited, or for which no handler has ended though all places are taken. */
  get stuckMs(): number {
    const all = this.#taken === this.#size;
    return Math.max(this.#line.longestWaitMs, all ? performance.now() - this.#lastGivenBack : 0);
  }

  /** True: a place is taken, to be given back. False: none became free in time, or the slots were closed. */
  take(): Promise<boolean> | boolean {
    if (this.#closed) return false;
    if (this.#taken < this.#size) {
      this.#taken++;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#line.add(resolve);
    return promise;
  }

  giveBack(): void {
    this.#lastGivenBack = performance.now();
    const begin = this.#line.shift();
    if (begin) begin(true);
    else this.#taken--;
  }

  /** Nobody gets a place any more, those who wait for one included. */
  close(): void {
    this.#closed = true;
    for (const begin of this.#line.clear()) begin(false);
  }
}
