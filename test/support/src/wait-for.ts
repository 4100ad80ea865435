// Waits for a condition that nothing announces.
// Where a promise or an event tells of it, that is awaited instead.
import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** How long to wait, in milliseconds; 10 s when absent. */
  timeoutMs?: number;
  /** Pause between two looks, in milliseconds; 20 when absent. */
  everyMs?: number;
  /** What is waited for, in the words of the error: `waited 10 s for <what>`. */
  what: string;
}

/**
 * Asks again and again until the answer is truthy, and gives that answer back.
 * @throws Error when it is not in time, with the last answer or the last exception as its cause
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
