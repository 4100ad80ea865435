import { expect, it } from 'vitest';
import { type Mood, moodAt, ProviderUnavailable, paymentProvider } from './payment-provider.ts';

const signal = new AbortController().signal;

it('every mood comes within the first minute, in each round at the same time', () => {
  const moods = (from: number) => Array.from({ length: 60 }, (_, second) => moodAt((from + second) * 1_000));
  expect(new Set(moods(0))).toEqual(new Set<Mood>(['healthy', 'down', 'slow', 'flaky']));
  expect(moods(60)).toEqual(moods(0));
});

it('it is down for longer than all attempts of a payment take', () => {
  const down = Array.from({ length: 60 }, (_, second) => moodAt(second * 1_000)).filter(
    (mood) => mood === 'down',
  ).length;
  // Three waits of 1, 2 and 4 s between four attempts.
  expect(down).toBeGreaterThan(2 * (1 + 2 + 4));
});

it('it charges while it is healthy, refuses while it is down, and fails now and then while it is flaky', async () => {
  let elapsed = 0;
  const provider = paymentProvider({ speed: 1, now: () => elapsed, pause: async () => {} });
  const charge = () => provider.charge('o1', 500, signal);
  expect(await charge()).toBe('receipt-o1-500');
  elapsed = 15_000;
  await expect(charge()).rejects.toBeInstanceOf(ProviderUnavailable);
  elapsed = 50_000;
  const results = await Promise.allSettled(Array.from({ length: 9 }, charge));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
});

it('speed shortens both its calls and its moods', async () => {
  const pauses: number[] = [];
  let elapsed = 0;
  const pause = async (ms: number) => void pauses.push(ms);
  const provider = paymentProvider({ speed: 10, now: () => elapsed, pause });
  await provider.charge('o1', 500, signal);
  expect(pauses[0]).toBe(30);
  elapsed = 1_500;
  await expect(provider.charge('o1', 500, signal)).rejects.toBeInstanceOf(ProviderUnavailable);
});

it('a charge that is called off is not made', async () => {
  const provider = paymentProvider({ speed: 1, now: () => 0, pause: async () => {} });
  await expect(provider.charge('o1', 500, AbortSignal.abort(new Error('cancelled')))).rejects.toThrow('cancelled');
});
