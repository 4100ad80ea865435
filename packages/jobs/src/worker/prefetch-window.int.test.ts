import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, gate, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({ n: z.number() });
const numbers = (length: number) => Array.from({ length }, (_, n) => n);

it('quick handlers: every job runs once, never more than `concurrency` at a time', async () => {
  const service = await bench.service({ quick: queue({ payload, concurrency: 4 }) });
  const { quick } = service.jobs;
  await Promise.all(numbers(1_000).map((n) => quick.create({ n })));
  const runs: number[] = [];
  let running = 0;
  let most = 0;
  await quick.handle(async (job) => {
    most = Math.max(most, ++running);
    runs.push(job.payload.n);
    await Promise.resolve();
    running--;
  });
  await expect.poll(() => quick.counts.completed, { timeout: 20_000 }).toBe(1_000);
  expect(most).toBeLessThanOrEqual(4);
  expect([...runs].sort((a, b) => a - b)).toEqual(numbers(1_000));
  expect(quick.counts).toMatchObject({ delivered: 1_000, started: 1_000, handedBack: 0, faults: 0 });
  await bench.workDone(service.name, 'quick');
});

it('slow handlers: no more jobs are taken or started than run, and the rest is left to others', async () => {
  const service = await bench.service({ slow: queue({ payload, concurrency: 3 }) });
  const { slow } = service.jobs;
  const ids = (await Promise.all(numbers(30).map((n) => slow.create({ n })))).map(({ id }) => id);
  const door = gate();
  await slow.handle(() => door.opened);
  await expect.poll(() => slow.counts.started).toBe(3);
  const other = await bench.service({ slow: queue({ payload, concurrency: 100 }) }, { name: service.name });
  await other.jobs.slow.handle(() => undefined);
  await expect.poll(() => other.jobs.slow.counts.completed, { timeout: 20_000 }).toBe(27);
  expect(slow.counts).toMatchObject({ delivered: 3, started: 3 });
  door.open();
  await Promise.all(ids.map((id) => slow.ref(id).wait()));
  expect(slow.counts.completed).toBe(3);
});

it('jobs that were started ahead of handlers that turn slow are given back, and use no attempt', async () => {
  const service = await bench.service({ turns: queue({ payload, concurrency: 2, maxDeliver: 1 }) });
  const { turns } = service.jobs;
  const refs = await Promise.all(numbers(1_200).map((n) => turns.create({ n })));
  const door = gate();
  let runs = 0;
  let running = 0;
  await turns.handle(async () => {
    running++;
    if (++runs > 600) await door.opened;
    running--;
  });
  await expect.poll(() => turns.counts.completed, { timeout: 20_000 }).toBe(600);
  // Only what runs is left active, and nothing more starts.
  await expect.poll(() => turns.counts.handedBack, { timeout: 20_000 }).toBeGreaterThan(0);
  await expect.poll(() => turns.counts.started - turns.counts.completed - turns.counts.handedBack).toBe(2);
  const { started } = turns.counts;
  expect(running).toBe(2);
  const other = await bench.service({ turns: queue({ payload, concurrency: 100 }) }, { name: service.name });
  await other.jobs.turns.handle(() => undefined);
  await expect.poll(() => other.jobs.turns.counts.completed, { timeout: 30_000 }).toBe(598);
  door.open();
  const outcomes = await Promise.all(refs.slice(-50).map((ref) => ref.wait()));
  expect(outcomes.every(({ state }) => state === 'completed')).toBe(true);
  await expect.poll(() => turns.counts.completed).toBe(602);
  expect(turns.counts.started).toBe(started);
});
