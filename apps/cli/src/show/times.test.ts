import { expect, it } from 'vitest';
import { absolute, duration, relative, span } from './times.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

it.for([
  [0, '0ms'],
  [999, '999ms'],
  [1_000, '1s'],
  [59_999, '59s'],
  [60_000, '1m'],
  [3_599_999, '59m'],
  [3_600_000, '1h'],
  [86_400_000, '1d'],
  [864_000_000, '10d'],
] as const)('%i ms are %s', ([ms, text]) => {
  expect(duration(ms)).toBe(text);
});

it.for([
  [0, '0ms'],
  [0.34, '0.3ms'],
  [9.96, '10ms'],
  [340.4, '340ms'],
  [1_239, '1.24s'],
  [59_994, '59.99s'],
  [59_996, '1m 00s'],
  [187_000, '3m 07s'],
  [7_500_000, '2h 05m'],
  [176_400_000, '2d 01h'],
] as const)('a length of %d ms is %s', ([ms, text]) => {
  expect(span(ms)).toBe(text);
});

it('distinguishes past and future', () => {
  expect(relative('2026-03-01T11:57:00.000Z', NOW)).toBe('3m ago');
  expect(relative('2026-03-01T12:00:12.000Z', NOW)).toBe('in 12s');
  expect(relative('2026-03-01T12:00:00.500Z', NOW)).toBe('now');
  expect(absolute('2026-03-01T11:57:00.120Z', NOW)).toBe('2026-03-01 11:57:00.120 UTC (2m ago)');
});
