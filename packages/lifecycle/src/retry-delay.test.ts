import { expect, it } from 'vitest';
import { DEFAULT_BACKOFF_MS, retryDelayMs } from './retry-delay.ts';

it.each([
  [1, 5_000],
  [2, 30_000],
  [5, 1_800_000],
  [6, 1_800_000],
  [99, 1_800_000],
  [0, 5_000],
])('after attempt %i a job waits %i ms: the last wait repeats', (attempt, expected) => {
  expect(retryDelayMs(DEFAULT_BACKOFF_MS, attempt)).toBe(expected);
});

it('without declared waits there is none', () => {
  expect(retryDelayMs([], 3)).toBe(0);
});
