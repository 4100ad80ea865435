// The one way in which background work continues: run, wait, run again; after an error with growing waits. A loop ends
// only when its signal aborts, never silently.
import type { Logger } from './logger.ts';
import { backoffMs, sleep } from './sleep.ts';

export interface Loop {
  /** Resolves when the loop has ended after its signal aborted. Never rejects. */
  readonly done: Promise<void>;
  /** The error of the last run, until a run ends well or stays up for `steadyMs`. */
  readonly lastError: unknown;
}

export interface LoopOptions {
  signal: AbortSignal;
  log: Logger;
  /** Wait between two runs that ended well; default 0. */
  intervalMs?: number;
  run: (signal: AbortSignal) => Promise<void>;
  /** Waits after errors; default from 200 ms to 10 s. */
  backoff?: { firstMs: number; maxMs: number };
  /** A run that lasted this long before it failed starts the backoff again; default 30 s. */
  steadyMs?: number;
}

/** Starts `run` and keeps it running. */
export function loop(name: string, options: LoopOptions): Loop {
  const { signal, log, run, intervalMs = 0, backoff = { firstMs: 200, maxMs: 10_000 }, steadyMs = 30_000 } = options;
  const state: { lastError: unknown; started: number } = { lastError: undefined, started: 0 };
  const work = async () => {
    let failures = 0;
    while (!signal.aborted) {
      const started = performance.now();
      state.started = started;
      try {
        await run(signal);
        failures = 0;
        state.lastError = undefined;
        await sleep(intervalMs, signal);
      } catch (error) {
        if (signal.aborted) break;
        failures = performance.now() - started >= steadyMs ? 1 : failures + 1;
        state.lastError = error;
        const waitMs = Math.round(backoffMs(failures, backoff.firstMs, backoff.maxMs));
        log.error({ loop: name, error, failures, waitMs }, `${name} failed; it goes on after a wait`);
        await sleep(waitMs, signal);
      }
    }
  };
  const done = work();
  return {
    done,
    get lastError() {
      return performance.now() - state.started >= steadyMs ? undefined : state.lastError;
    },
  };
}
