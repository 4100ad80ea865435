import { expect, it } from 'vitest';
import { Latencies, median, rate, timedInLanes } from './latencies.ts';

it('the median of an even number of values is the mean of the two in the middle', () => {
  expect(median([9, 1, 4])).toBe(4);
  expect(median([8, 1, 4, 2])).toBe(3);
  expect(() => median([])).toThrow();
});

it('percentiles differ from the values by at most 0.1 %', () => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1_000; ms++) latencies.add(ms);
  const { p50Ms, p99Ms, count } = latencies.figures;
  expect(count).toBe(1_000);
  expect(Math.abs(p50Ms - 500)).toBeLessThanOrEqual(1);
  expect(Math.abs(p99Ms - 990)).toBeLessThanOrEqual(1);
});

it('handles every index once, with at most `inFlight` at a time', async () => {
  const seen: number[] = [];
  let [running, most] = [0, 0];
  const { latencies } = await timedInLanes(100, 7, async (index) => {
    most = Math.max(most, ++running);
    await Promise.resolve();
    seen.push(index);
    running--;
  });
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  expect(most).toBe(7);
  expect(latencies.count).toBe(100);
});

it('rates are per second', () => {
  expect(rate(500, 1_000)).toBe('500 /s');
  expect(rate(30_000, 1_500)).toBe('20.0 k/s');
});
