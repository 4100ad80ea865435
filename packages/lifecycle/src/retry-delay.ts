// How long a job waits between two attempts.

/** Waits after attempt 1, 2, … in milliseconds; the last entry repeats. */
export const DEFAULT_BACKOFF_MS: readonly number[] = [5_000, 30_000, 120_000, 600_000, 1_800_000];

/**
 * Milliseconds to wait after an attempt that failed.
 * @param attempt number of the attempt that failed, from 1
 */
export function retryDelayMs(backoffMs: readonly number[], attempt: number): number {
  const index = Math.min(Math.max(attempt, 1), backoffMs.length) - 1;
  return backoffMs[index] ?? 0;
}
