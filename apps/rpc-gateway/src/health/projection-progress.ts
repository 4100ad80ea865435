// Waits until the projection has passed a stream sequence. One poller asks the store for all waiters, none while nobody waits.
import { type Logger, sleep } from '@trellis/async';

export interface ProjectionProgressOptions {
  /** Position of the `current` pipeline; undefined when it has none yet. */
  readPosition: () => Promise<number | undefined>;
  log: Logger;
  /** Pause between two looks; default 10. */
  everyMs?: number;
}

interface Waiter {
  sequence: number;
  settle: (reached: boolean) => void;
}

export class ProjectionProgress {
  readonly #options: ProjectionProgressOptions;
  readonly #waiters = new Set<Waiter>();
  #polling = false;

  constructor(options: ProjectionProgressOptions) {
    this.#options = options;
  }

  /** True once everything up to `sequence` is projected, false when that took longer than `timeoutMs`. Never rejects. */
  reached(sequence: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = new AbortController();
      const waiter: Waiter = {
        sequence,
        settle: (reached) => {
          this.#waiters.delete(waiter);
          timer.abort();
          resolve(reached);
        },
      };
      this.#waiters.add(waiter);
      // A separate timer: a store that hangs must not delay the reply.
      void sleep(timeoutMs, timer.signal).then(() => waiter.settle(false));
      if (!this.#polling) void this.#poll();
    });
  }

  async #poll(): Promise<void> {
    this.#polling = true;
    while (this.#waiters.size > 0) {
      const position = await this.#read();
      for (const waiter of this.#waiters) if (position >= waiter.sequence) waiter.settle(true);
      if (this.#waiters.size > 0) await sleep(this.#options.everyMs ?? 10);
    }
    this.#polling = false;
  }

  async #read(): Promise<number> {
    try {
      return (await this.#options.readPosition()) ?? -1;
    } catch (error) {
      this.#options.log.debug({ error }, 'the position of the projection cannot be read');
      return -1;
    }
  }
}
