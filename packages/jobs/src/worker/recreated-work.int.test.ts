import { provision } from '@trellis/nats';
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

const payload = z.object({ kind: z.enum(['quick', 'slow', 'flaky', 'hopeless']) });
const ACK_WAIT_MS = 5_000;

it('JOBS_WORK is deleted and made again: nothing that has ended runs a second time, everything else runs, and once', async () => {
  const name = newName();
  const queues = {
    work: queue({ payload, concurrency: 12, ackWaitMs: ACK_WAIT_MS, maxDeliver: 2, backoffMs: [2_500] }),
  };
  const door = gate();
  const runs = new Map<string, number>();
  const services = [await bench.service(queues, { name }), await bench.service(queues, { name })];
  const [creator] = services;
  if (!creator) throw new Error('no service');
  const start = () =>
    Promise.all(
      services.map((service) =>
        service.jobs.work.handle(async (job) => {
          runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
          const { kind } = job.payload;
          if (kind === 'hopeless') return job.fail('never', { retry: false });
          if (kind === 'flaky' && job.attempt === 1) throw new Error('later');
          if (kind === 'slow') await door.opened;
        }),
      ),
    );
  await start();
  const create = (kind: z.infer<typeof payload>['kind'], count: number) =>
    Promise.all(Array.from({ length: count }, () => creator.jobs.work.create({ kind })));

  const quick = await create('quick', 20);
  const hopeless = await create('hopeless', 5);
  for (const ref of [...quick, ...hopeless]) await ref.wait();
  const flaky = await create('flaky', 4);
  for (const ref of flaky) await bench.event(ref.id, 'retry');
  const slow = await create('slow', 24);
  for (const ref of slow) await bench.event(ref.id, 'started');
  // Every slot is taken: these are pending.
  const pending = await create('quick', 10);
  await bench.stream.jsm.streams.delete('JOBS_WORK');
  await provision(bench.nc);
  await waitFor(async () => (await bench.stream.jsm.streams.info('JOBS_WORK')).state.messages > 0, {
    what: 'the work queue to be filled again',
    timeoutMs: 30_000,
  });
  door.open();
  for (const ref of [...slow, ...flaky, ...pending]) {
    expect((await ref.wait({ timeoutMs: 50_000 })).state).toBe('completed');
  }
  await bench.workDone(name, 'work');
  expect((await bench.stream.jsm.streams.info('JOBS_WORK')).state.messages).toBe(0);
  const count = (refs: { id: string }[]) => refs.map(({ id }) => runs.get(id));
  expect(count(quick)).toEqual(Array(20).fill(1));
  expect(count(hopeless)).toEqual(Array(5).fill(1));
  expect(count(pending)).toEqual(Array(10).fill(1));
  expect(count(slow)).toEqual(Array(24).fill(1));
  expect(count(flaky)).toEqual(Array(4).fill(2));
  for (const { id } of flaky) {
    const events = await bench.events(id);
    const at = (type: string, nth: number) =>
      Date.parse(events.filter(({ event }) => event.eventType === type)[nth]?.event.timestamp ?? '');
    expect(at('started', 1) - at('retry', 0)).toBeGreaterThanOrEqual(2_500);
  }
});

it('work that this process holds comes again from the new JOBS_WORK: it goes on, and is answered by the new message', async () => {
  const service = await bench.service({ work: queue({ payload, concurrency: 2, ackWaitMs: 60_000 }) });
  const door = gate();
  let runs = 0;
  await service.jobs.work.handle(async () => {
    runs++;
    await door.opened;
  });
  const ref = await service.jobs.work.create({ kind: 'slow' });
  await bench.event(ref.id, 'started');
  await bench.stream.jsm.streams.delete('JOBS_WORK');
  await provision(bench.nc);
  const info = () => bench.stream.jsm.consumers.info('JOBS_WORK', `${service.name}-work`);
  await waitFor(async () => (await info()).num_ack_pending === 1, {
    what: 'the work to be delivered again',
    timeoutMs: 30_000,
  });
  door.open();
  expect((await ref.wait()).state).toBe('completed');
  // At once, not when the ack_wait of a minute is over.
  await bench.workDone(service.name, 'work');
  expect(runs).toBe(1);
  expect(service.jobs.work.counts).toMatchObject({ delivered: 1, waited: 0, discarded: 0 });
});
