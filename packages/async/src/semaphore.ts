import { TimeoutQueue } from './timeout-queue.ts';

/** FIFO semaphore. */
export class Semaphore {
  readonly #permits: number;
  readonly #queue: TimeoutQueue<(acquired: boolean) => void>;
  #taken = 0;
  #lastReleasedAt = performance.now();
  #closed = false;

  /** @param maxWaitMs how long `acquire` waits for a permit, in milliseconds; default: without a limit */
  constructor(permits: number, maxWaitMs = Number.POSITIVE_INFINITY) {
    this.#permits = permits;
    this.#queue = new TimeoutQueue(maxWaitMs, (resolve) => resolve(false));
  }

  /** How many wait for a permit. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Milliseconds since the first waiter came, or since the last release while all permits are taken. */
  get stuckMs(): number {
    const all = this.#taken === this.#permits;
    return Math.max(this.#queue.longestWaitMs, all ? performance.now() - this.#lastReleasedAt : 0);
  }

  /** True: a permit is taken; the caller must release it. False: the wait took too long, or the semaphore is closed. */
  acquire(): Promise<boolean> | boolean {
    if (this.#closed) return false;
    if (this.#taken < this.#permits) {
      this.#taken++;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#queue.add(resolve);
    return promise;
  }

  release(): void {
    this.#lastReleasedAt = performance.now();
    const next = this.#queue.shift();
    if (next) next(true);
    else this.#taken--;
  }

  /** Refuses a permit to everybody from now on, waiters included. */
  close(): void {
    this.#closed = true;
    for (const resolve of this.#queue.clear()) resolve(false);
  }
}
