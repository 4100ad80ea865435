import { silentLogger } from '@trellis/async';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createService, JobStopped, queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({});
const never = new Promise<never>(() => {});

it('a handler may end within the grace, and its job is completed', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  const door = gate();
  let asked = false;
  await service.jobs.work.handle(async (job) => {
    await door.opened;
    asked = job.shutdown.aborted;
  });
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  const stopped = service.stop({ graceMs: 30_000 });
  door.open();
  await stopped;
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'completed']);
  expect(asked).toBe(false);
});

it('work that is interrupted goes back at once and uses no attempt; shutdown is no cancellation', async () => {
  const name = newName();
  const queues = { work: queue({ payload, maxDeliver: 1, ackWaitMs: 60_000 }) };
  const first = await bench.service(queues, { name });
  const seen: unknown[] = [];
  await first.jobs.work.handle(async (job) => {
    await new Promise((resolve) => job.shutdown.addEventListener('abort', resolve));
    seen.push(job.shutdown.reason, job.cancelled);
    job.shutdown.throwIfAborted();
  });
  const ref = await first.jobs.work.create({});
  await bench.event(ref.id, 'started');
  const second = await bench.service(queues, { name });
  await first.stop({ graceMs: 0 });
  expect(seen[0]).toBeInstanceOf(JobStopped);
  expect(seen).toMatchObject([{ because: 'shutdown' }, false]);
  await second.jobs.work.handle((job) => ({ attempt: job.attempt }));
  // Long before its ack_wait of a minute is over.
  expect(await ref.wait({ timeoutMs: 15_000 })).toEqual({ state: 'completed', result: { attempt: 1 } });
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => [event.eventType, event.tries, event.handedBack])).toEqual([
    ['created', 0, undefined],
    ['started', 1, undefined],
    ['retry', 1, true],
    ['started', 1, undefined],
    ['completed', 1, undefined],
  ]);
  expect((await bench.stream.readJob(ref.id)).job).toMatchObject({ tries: 1, state: 'completed' });
});

it('a handler that returns after it looked at the shutdown has not finished; one that never looked has', async () => {
  const role = z.enum(['looks', 'blind', 'last']);
  const service = await bench.service({ work: queue({ payload: z.object({ role }), concurrency: 3 }) });
  const door = gate();
  await service.jobs.work.handle(async (job) => {
    if (job.payload.role === 'looks') void job.shutdown;
    if (job.payload.role === 'last') job.shutdown.addEventListener('abort', door.open);
    await door.opened;
  });
  const start = async (payload: { role: z.infer<typeof role> }) => {
    const { id } = await service.jobs.work.create(payload);
    await bench.event(id, 'started');
    return id;
  };
  const looks = await start({ role: 'looks' });
  const blind = await start({ role: 'blind' });
  // It is told last, and lets the others return.
  await start({ role: 'last' });
  await service.stop({ graceMs: 0 });
  expect((await bench.types(looks)).at(-1)).toBe('retry');
  expect((await bench.types(blind)).at(-1)).toBe('completed');
});

it('a handler that ignores the shutdown is given up, its work goes back', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  await service.jobs.work.handle(() => never);
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  await service.stop({ graceMs: 0 });
  expect((await bench.events(ref.id)).at(-1)?.event).toMatchObject({ eventType: 'retry', handedBack: true });
  expect(service.jobs.work.counts.handedBack).toBe(1);
});

it('after stop nothing more is taken, and what a service did not take is there for the next one', async () => {
  const name = newName();
  const queues = { work: queue({ payload, concurrency: 2 }) };
  const first = await bench.service(queues, { name });
  let runs = 0;
  await first.jobs.work.handle(() => void runs++);
  await first.stop();
  await first.stop();
  const second = await bench.service(queues, { name });
  const refs = await Promise.all([1, 2, 3, 4].map(() => second.jobs.work.create({})));
  await second.jobs.work.handle(() => {});
  for (const ref of refs) expect((await ref.wait()).state).toBe('completed');
  expect(runs).toBe(0);
});

it('work that arrives while a service stops goes back at once', async () => {
  const name = newName();
  const queues = { work: queue({ payload, concurrency: 3, ackWaitMs: 60_000 }) };
  const creator = await bench.service(queues, { name });
  const first = await bench.service(queues, { name });
  await first.jobs.work.handle(() => {});
  const { jsm, names } = bench.stream;
  await waitFor(async () => (await jsm.consumers.info(names.work, `${name}-work`)).num_waiting > 0, { what: 'a pull' });
  const stopped = first.stop();
  const refs = await Promise.all([1, 2, 3].map(() => creator.jobs.work.create({})));
  await stopped;
  await creator.jobs.work.handle(() => {});
  for (const ref of refs) expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  expect(first.jobs.work.counts.started).toBe(0);
});

it('a stop with work that goes on arriving loses none of it and doubles none of it', async () => {
  const name = newName();
  const queues = { work: queue({ payload, concurrency: 5, ackWaitMs: 60_000 }) };
  const runs = new Map<string, number>();
  const start = async () => {
    const service = await bench.service(queues, { name });
    await service.jobs.work.handle((job) => void runs.set(job.id, (runs.get(job.id) ?? 0) + 1));
    return service;
  };
  const creator = await bench.service(queues, { name });
  const first = await start();
  const refs = await Promise.all(Array.from({ length: 50 }, () => creator.jobs.work.create({})));
  const stopped = first.stop();
  for (let n = 0; n < 50; n++) refs.push(await creator.jobs.work.create({}));
  await stopped;
  await start();
  for (const ref of refs) expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  expect(runs.size).toBe(100);
  expect([...runs.values()].every((count) => count === 1)).toBe(true);
});

it('a stop ends although the server is gone', async () => {
  await using own = await startTestNats();
  const service = await createService({
    name: newName(),
    nats: { url: own.url },
    log: silentLogger(),
    queues: { work: queue({ payload }), idle: queue({ payload }) },
  });
  const began = gate();
  await service.jobs.idle.handle(() => {});
  await service.jobs.work.handle(async () => {
    began.open();
    await never;
  });
  await service.jobs.work.create({});
  await began.opened;
  await own.kill();
  await service.stop({ graceMs: 0 });
  expect(() => service.check()).toThrow('closed');
});

it('a stop ends although its connection was closed under it', async () => {
  const connection = await nats.connect();
  const service = await bench.service({ work: queue({ payload }) }, { nats: connection });
  const door = gate();
  await service.jobs.work.handle(() => door.opened);
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  await connection.close();
  door.open();
  await service.stop({ graceMs: 0 });
  expect(service.jobs.work.counts).toMatchObject({ started: 1, completed: 0, faults: 1 });
  expect(await bench.types(ref.id)).toEqual(['created', 'started']);
});

it('a connection of its own is closed by stop, one that was handed in is not', async () => {
  const own = await createService({
    name: newName(),
    nats: { url: nats.url },
    queues: { work: queue({ payload }) },
    log: silentLogger(),
  });
  await own.stop();
  expect(() => own.check()).toThrow('closed');
  const connection = await nats.connect();
  const guest = await createService({ name: newName(), nats: connection, queues: { work: queue({ payload }) } });
  await guest.stop();
  expect(connection.isClosed()).toBe(false);
});
