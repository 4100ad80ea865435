// Waits for a condition by polling. Where a promise or an event reports it, await that instead.
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** Default: 10 s. */
  timeoutMs?: number;
  /** Pause between two checks. Default: 20 ms. */
  everyMs?: number;
  /** What to wait for, as in the error: `waited 10 s for <what>`. */
  what: string;
}

/**
 * Calls `predicate` until its result is truthy, and returns that result.
 * @throws Error after `timeoutMs`, with the last result in its message or the last exception as its cause
 */
export async function waitFor<T>(
  predicate: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const { timeoutMs = 10_000, everyMs = 20, what } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let seen: unknown;
    let cause: unknown;
    try {
      const answer = await predicate();
      if (answer) return answer as Exclude<T, false | null | undefined | 0 | ''>;
      seen = answer;
    } catch (error) {
      cause = error;
      seen = error;
    }
    if (performance.now() >= deadline) {
      const detail = cause instanceof Error ? `last error: ${cause.message}` : `last answer: ${String(seen)}`;
      throw new Error(`waited ${timeoutMs / 1000} s for ${what} (${detail})`, { cause });
    }
    await delay(everyMs);
  }
}
