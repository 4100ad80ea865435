import { expect, it } from 'vitest';
import { runKeyedChaos } from './keyed-chaos.ts';

it('while workers are killed, frozen past their lease and replaced, one job per key runs at a time, in order, and all complete', async () => {
  const report = await runKeyedChaos({
    processes: 4,
    keys: 20,
    jobs: 600,
    maxActive: 1,
    maxQueuedPerKey: 100,
    ttlMs: 3_000,
    concurrency: 6,
    workMs: 250,
    faultEveryMs: 1_200,
    freezes: 1,
    seed: 7,
    timeoutMs: 150_000,
  });
  expect(report.violations).toEqual([]);
  expect(report.open).toEqual([]);
  expect(report.jobs).toBe(600);
  expect(report.mostActive).toBe(1);
  const { completed = 0, stale = 0, ...others } = report.ended;
  expect(others).toEqual({});
  expect(completed + stale).toBe(600);
  // A lease may expire before its job is redelivered; this must be rare.
  expect(stale).toBeLessThan(30);
  expect(report.left.filter((entry) => entry.startsWith('queued'))).toEqual([]);
}, 240_000);
