// The position of one reader in the stream, and how long it waits for others.
import { sleep } from '@trellis/async';

export class Reader {
  /** First sequence that it has not been given. */
  next: number;
  readonly signal: AbortSignal;
  /** Of the clock of `performance.now()`. */
  readonly since = performance.now();
  /** In twice so long a time, it waits no longer than this for others. */
  readonly #patienceMs: number;
  #periodSince = this.since;
  #waitedMs = 0;
  #wake: AbortController | undefined;

  constructor(from: number, signal: AbortSignal, patienceMs: number) {
    this.next = Math.max(1, from);
    this.signal = signal;
    this.#patienceMs = patienceMs;
  }

  /** Resolves at the next `wake`, when the signal aborts, or after `ms`. */
  async wait(ms = 3_600_000): Promise<void> {
    if (this.signal.aborted) return;
    const wake = new AbortController();
    this.#wake = wake;
    const stop = () => wake.abort('stopped');
    this.signal.addEventListener('abort', stop);
    await sleep(ms, wake.signal);
    this.signal.removeEventListener('abort', stop);
    this.#wake = undefined;
  }

  /** Waits as `wait` does, with what is left of its patience; false immediately when nothing is. */
  async waitForOthers(ms = 3_600_000): Promise<boolean> {
    const began = performance.now();
    if (began - this.#periodSince > 2 * this.#patienceMs) {
      this.#periodSince = began;
      this.#waitedMs = 0;
    }
    const left = this.#patienceMs - this.#waitedMs;
    if (left <= 0) return false;
    await this.wait(Math.min(left, ms));
    this.#waitedMs += performance.now() - began;
    return true;
  }

  wake(): void {
    this.#wake?.abort('awake');
  }
}
