// Several instances of a service at one queue: more of them do more, and none keeps work that another one could do.
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({});
const queues = (concurrency: number) => ({ work: queue({ payload, concurrency, backoffMs: [3_600_000] }) });
const until = (what: string, predicate: () => boolean) => waitFor(async () => predicate(), { what, timeoutMs: 30_000 });

it('each further instance runs as many jobs more at a time', async () => {
  const name = newName();
  const door = gate();
  const running: string[] = [];
  for (let instance = 0; instance < 3; instance++) {
    const service = await bench.service(queues(4), { name });
    if (instance === 0) for (let n = 0; n < 15; n++) await service.jobs.work.create({});
    await service.jobs.work.handle(async (job) => {
      running.push(job.id);
      await door.opened;
    });
    await until(`${4 * (instance + 1)} jobs at a time`, () => running.length === 4 * (instance + 1));
  }
  door.open();
  await until('the others too', () => running.length === 15);
  expect(new Set(running).size).toBe(15);
});

it('work that a busy instance cannot start is there for an idle one at once', async () => {
  const name = newName();
  const door = gate();
  const busy = await bench.service(queues(1), { name });
  await busy.jobs.work.handle(() => door.opened);
  const stuck = await busy.jobs.work.create({});
  await bench.event(stuck.id, 'started');
  const waiting = [];
  for (let n = 0; n < 5; n++) waiting.push(await busy.jobs.work.create({}));
  const idle = await bench.service(queues(1), { name });
  await idle.jobs.work.handle(() => {});
  for (const ref of waiting) {
    expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
    const [, started] = await bench.events(ref.id);
    expect(started?.event).toMatchObject({ eventType: 'started', tries: 1, instanceId: idle.instanceId });
  }
  expect(await bench.types(stuck.id)).toEqual(['created', 'started']);
  door.open();
});

it('jobs that wait for their next attempt keep no other job from running, however many they are', async () => {
  const service = await bench.service(queues(2));
  let fail = true;
  await service.jobs.work.handle(() => {
    if (fail) throw new Error('the provider is down');
  });
  const failed = [];
  for (let n = 0; n < 30; n++) failed.push(await service.jobs.work.create({}));
  for (const { id } of failed) await bench.event(id, 'retry');
  fail = false;
  const ref = await service.jobs.work.create({});
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  for (const { id } of failed) expect(await bench.types(id)).toEqual(['created', 'started', 'retry']);
});
