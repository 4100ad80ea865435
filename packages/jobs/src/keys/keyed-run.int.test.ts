import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type JobService, NonRetryableError, type Queue, type QueueOptions, queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { readRecord, TEMPLATE, writeRecord } from '../testing/key-record.fixture.ts';

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({ origin: z.string(), n: z.number().default(0) });
type Options = Partial<Omit<QueueOptions<typeof payload, z.ZodUnknown>, 'keyConcurrency'>>;
const keyed = (
  keyConcurrency: { maxActive?: number; heartbeatTtlMs?: number; heartbeatIntervalMs?: number } = {},
  options: Options = {},
): { work: Queue<typeof payload, z.ZodUnknown> } => ({
  work: queue({
    payload,
    concurrency: 4,
    backoffMs: [50],
    queue: { maxQueuedPerKey: 100 },
    ...options,
    keyConcurrency: { key: TEMPLATE, ...keyConcurrency },
  }),
});
const record = (service: string, origin = 'foo') => readRecord(bench.stream, service, origin);
const until = <T>(what: string, predicate: () => T | Promise<T>) =>
  waitFor(async () => predicate(), { what, timeoutMs: 30_000 });

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
};

/** Counts the handlers of each key that run now, and the most there were. */
function tally() {
  const now = new Map<string, number>();
  let most = 0;
  return {
    most: () => most,
    running: (origin: string) => now.get(origin) ?? 0,
    run: async (origin: string, work: () => Promise<void>) => {
      now.set(origin, (now.get(origin) ?? 0) + 1);
      most = Math.max(most, now.get(origin) ?? 0);
      try {
        await work();
      } finally {
        now.set(origin, (now.get(origin) ?? 0) - 1);
      }
    },
  };
}

it('jobs of one key run one after the other in the order of admission, and waiting uses no attempt', async () => {
  const name = newName();
  const queues = keyed({ heartbeatTtlMs: 2_000 });
  const services = [await bench.service(queues, { name }), await bench.service(queues, { name })];
  const counted = tally();
  const started: string[] = [];
  for (const service of services) {
    await service.jobs.work.handle((job) =>
      counted.run(job.payload.origin, async () => {
        started.push(job.id);
        await job.progress({ step: 'under way' });
      }),
    );
  }
  const refs = [];
  for (let n = 0; n < 12; n++) refs.push(await at(services, 0).jobs.work.create({ origin: 'foo', n }));
  for (const ref of refs) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(counted.most()).toBe(1);
  expect(started).toEqual(refs.map(({ id }) => id));
  for (const { id } of refs) expect(await bench.types(id)).toEqual(['created', 'started', 'progress', 'completed']);
  await bench.workDone(name, 'work');
  expect(await record(name)).toMatchObject({ active: [], queued: [] });
});

it('as many jobs of a key run at a time as may, and jobs of other keys at the same time', async () => {
  const service = await bench.service(keyed({ maxActive: 2 }, { concurrency: 10 }));
  const counted = tally();
  const door = gate();
  await service.jobs.work.handle((job) => counted.run(job.payload.origin, () => door.opened));
  const refs = await Promise.all(
    ['foo', 'foo', 'foo', 'bar', 'bar', 'bar'].map((origin) => service.jobs.work.create({ origin })),
  );
  await until('two of each key', () => counted.running('foo') === 2 && counted.running('bar') === 2);
  door.open();
  for (const ref of refs) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(counted.most()).toBe(2);
});

it('whoever ends a job starts the next one of its key from the stream, and the parked message is acked unrun', async () => {
  const service = await bench.service(keyed());
  const door = gate();
  await service.jobs.work.handle(() => door.opened);
  const first = await service.jobs.work.create({ origin: 'foo' });
  await bench.event(first.id, 'started');
  const second = await service.jobs.work.create({ origin: 'foo' });
  await until('parked work', () => service.jobs.work.counts.parked > 0);
  door.open();
  const started = await bench.event(second.id, 'started');
  expect(started.event).not.toHaveProperty('workSequence');
  expect(started.event.concurrency).toMatchObject({ key: 'k:foo', instanceId: service.instanceId });
  await bench.workDone(service.name, 'work');
  expect(service.jobs.work.counts).toMatchObject({ started: 2, completed: 2, discarded: 1 });
});

it('an instance that has room is told when another one frees a key and stops', async () => {
  const name = newName();
  // Parked work alone would come after half a minute and more.
  const queues = keyed({ heartbeatTtlMs: 3_600_000 }, { concurrency: 1 });
  const first = await bench.service(queues, { name });
  const second = await bench.service(queues, { name });
  const door = gate();
  await first.jobs.work.handle(() => door.opened);
  const refs = [];
  for (let n = 0; n < 20; n++) refs.push(await first.jobs.work.create({ origin: 'foo', n }));
  await bench.event(at(refs, 0).id, 'started');
  const ran: string[] = [];
  await second.jobs.work.handle((job) => void ran.push(job.id));
  await until('all others parked', () => second.jobs.work.counts.parked >= 19);
  const stopped = first.stop({ graceMs: 30_000 });
  door.open();
  await stopped;
  for (const ref of refs.slice(1, 3)) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(ran.slice(0, 2)).toEqual(refs.slice(1, 3).map(({ id }) => id));
});

it('a busy key does not starve another one of the same worker', async () => {
  const service = await bench.service(keyed({}, { concurrency: 1 }));
  const { work } = service.jobs;
  const order: string[] = [];
  await work.handle(async (job) => {
    order.push(job.payload.origin);
    // A key with always another job waiting, until the other key had its turn.
    if (job.payload.origin === 'busy' && order.length < 200 && !order.includes('other')) {
      await work.create({ origin: 'busy' });
    }
  });
  for (let n = 0; n < 3; n++) await work.create({ origin: 'busy' });
  await until('the first', () => order.length > 0);
  const other = await work.create({ origin: 'other' });
  expect((await other.wait({ timeoutMs: 40_000 })).state).toBe('completed');
  expect(order.length).toBeLessThan(200);
});

it('a job that is retried by an operator runs again however many wait for its key', async () => {
  const service = await bench.service(keyed({}, { queue: { maxQueuedPerKey: 1 } }));
  const door = gate();
  let broken = true;
  await service.jobs.work.handle(async (job) => {
    if (job.payload.n === 1 && broken) throw new NonRetryableError('no');
    if (job.payload.n === 2) await door.opened;
  });
  const failed = await service.jobs.work.create({ origin: 'foo', n: 1 });
  expect((await failed.wait({ timeoutMs: 20_000 })).state).toBe('failed');
  const running = await service.jobs.work.create({ origin: 'foo', n: 2 });
  await bench.event(running.id, 'started');
  const waiting = await service.jobs.work.create({ origin: 'foo', n: 3 });
  broken = false;
  const [created] = await bench.events(failed.id);
  await bench.publish({
    jobId: failed.id,
    service: service.name,
    jobType: 'work',
    eventType: 'retried',
    payload: created?.event.payload,
    concurrency: created?.event.concurrency,
    maxTries: 3,
  });
  door.open();
  expect((await bench.event(failed.id, 'completed')).event.tries).toBe(1);
  expect((await waiting.wait({ timeoutMs: 30_000 })).state).toBe('completed');
});

it('work that is handed back runs on at another instance without a lost attempt, also work that had no message', async () => {
  const name = newName();
  const queues = keyed({}, { concurrency: 1, maxDeliver: 1 });
  const first = await bench.service(queues, { name });
  const door = gate();
  await first.jobs.work.handle(async (job) => {
    if (job.payload.n === 1) return door.opened;
    await new Promise((resolve) => job.shutdown.addEventListener('abort', resolve));
    job.shutdown.throwIfAborted();
  });
  const one = await first.jobs.work.create({ origin: 'foo', n: 1 });
  await bench.event(one.id, 'started');
  const two = await first.jobs.work.create({ origin: 'foo', n: 2 });
  const second = await bench.service(queues, { name });
  await second.jobs.work.handle(() => {});
  await until('parked work', () => second.jobs.work.counts.parked > 0);
  door.open();
  await bench.event(two.id, 'started');
  await first.stop({ graceMs: 0 });
  expect((await two.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  const events = await bench.events(two.id);
  expect(events.map(({ event }) => event.eventType)).toEqual(['created', 'started', 'retry', 'started', 'completed']);
  expect(events[2]?.event.handedBack).toBe(true);
  expect(events.at(-1)?.event).toMatchObject({ eventType: 'completed', tries: 1 });
});

it('an attempt that failed frees the key at once: others run during its wait, which is not shortened', async () => {
  const service = await bench.service(keyed({}, { backoffMs: [1_500] }));
  await service.jobs.work.handle(async (job) => {
    if (job.payload.n === 1 && job.attempt === 1) throw new Error('again');
  });
  const failing = await service.jobs.work.create({ origin: 'foo', n: 1 });
  const other = await service.jobs.work.create({ origin: 'foo', n: 2 });
  for (const ref of [failing, other]) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  const [events, others] = [await bench.events(failing.id), await bench.events(other.id)];
  expect(events.map(({ event }) => event.eventType)).toEqual(['created', 'started', 'retry', 'started', 'completed']);
  expect(others.at(-1)?.sequence).toBeLessThan(events[3]?.sequence ?? 0);
  expect(Date.parse(events[3]?.storedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(events[2]?.storedAt ?? '') + 1_400);
});

it('a lease is renewed for as long as the handler runs, and its own parked message does not disturb the run', async () => {
  // maxDeliver 1: a second look that took the run for a lost one would declare it dead.
  const service = await bench.service(keyed({ heartbeatTtlMs: 1_000 }, { maxDeliver: 1 }));
  const first = gate();
  const second = gate();
  // Either worker may receive either job.
  const run = (job: { payload: { n: number } }) => (job.payload.n === 1 ? first.opened : second.opened);
  await service.jobs.work.handle(run);
  const other = await bench.service(keyed({ heartbeatTtlMs: 1_000 }, { maxDeliver: 1 }), { name: service.name });
  await other.jobs.work.handle(run);
  const one = await service.jobs.work.create({ origin: 'foo', n: 1 });
  await bench.event(one.id, 'started');
  const two = await service.jobs.work.create({ origin: 'foo', n: 2 });
  await until('parked work', () => service.jobs.work.counts.parked + other.jobs.work.counts.parked > 0);
  first.open();
  await bench.event(two.id, 'started');
  const lease = async () => (await record(service.name))?.active[0]?.leaseExpiresAt ?? '';
  const before = await lease();
  await until('three renewals', async () => Date.parse(await lease()) >= Date.parse(before) + 900);
  second.open();
  expect((await two.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(await bench.types(two.id)).toEqual(['created', 'started', 'completed']);
});

it('a job that is cancelled while it waits for its key never runs and frees its place', async () => {
  const service = await bench.service(keyed({ heartbeatTtlMs: 1_000 }));
  const door = gate();
  const ran: number[] = [];
  await service.jobs.work.handle(async (job) => {
    ran.push(job.payload.n);
    await door.opened;
  });
  const first = await service.jobs.work.create({ origin: 'foo', n: 1 });
  await bench.event(first.id, 'started');
  const second = await service.jobs.work.create({ origin: 'foo', n: 2 });
  await bench.publish({
    jobId: second.id,
    service: service.name,
    jobType: 'work',
    eventType: 'cancelled',
    state: 'cancelled',
  });
  await until('its place to be free', async () => (await record(service.name))?.queued.length === 0);
  door.open();
  await bench.workDone(service.name, 'work');
  expect(ran).toEqual([1]);
});

it('a job ended as cancelled at the head of the queue is passed over by whoever frees the key', async () => {
  const service = await bench.service(keyed({ heartbeatTtlMs: 3_600_000 }));
  const door = gate();
  await service.jobs.work.handle(() => door.opened);
  const refs = [];
  for (let n = 0; n < 3; n++) refs.push(await service.jobs.work.create({ origin: 'foo', n }));
  const [first, second, third] = [at(refs, 0), at(refs, 1), at(refs, 2)];
  await bench.event(first.id, 'started');
  await until('parked work', () => service.jobs.work.counts.parked >= 2);
  const { name } = service;
  await bench.publish({
    jobId: second.id,
    service: name,
    jobType: 'work',
    eventType: 'cancelled',
    state: 'cancelled',
  });
  door.open();
  expect((await third.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(await bench.types(second.id)).toEqual(['created', 'cancelled']);
});

it('an entry whose job was never created is passed over after a minute', async () => {
  const service = await bench.service(keyed());
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const queued = (await record(service.name))?.queued ?? [];
  const phantom = { ...at(queued, 0), jobId: 'phantom', createdAt: new Date(Date.now() - 61_000).toISOString() };
  await writeRecord(bench.stream, service.name, 'foo', { queued: [phantom, ...queued] });
  await service.jobs.work.handle(() => {});
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  await until('an empty record', async () => (await record(service.name))?.queued.length === 0);
});

it('a payload that its handler cannot be given fails at once and leaves the queue', async () => {
  const { name } = await bench.service(keyed());
  const old = await bench.service(
    { work: queue({ payload: z.looseObject({}), keyConcurrency: { key: TEMPLATE }, queue: { maxQueuedPerKey: 9 } }) },
    { name },
  );
  const ref = await old.jobs.work.create({ origin: 'foo', n: 'no number' });
  const worker = await bench.service(keyed(), { name });
  await worker.jobs.work.handle(() => {});
  expect(await ref.wait({ timeoutMs: 30_000 })).toMatchObject({
    state: 'failed',
    error: expect.stringContaining('payload.n'),
  });
  await until('an empty record', async () => (await record(name))?.queued.length === 0);
});

it('three instances, six keys, two hundred jobs: never two of a key at once, first starts in the order of admission', async () => {
  const name = newName();
  const services: JobService<ReturnType<typeof keyed>>[] = [];
  for (let n = 0; n < 3; n++) services.push(await bench.service(keyed({}, { concurrency: 3 }), { name }));
  const counted = tally();
  const started = new Map<string, string[]>();
  for (const service of services) {
    await service.jobs.work.handle((job) =>
      counted.run(job.payload.origin, async () => {
        started.set(job.payload.origin, [...(started.get(job.payload.origin) ?? []), job.id]);
        await job.heartbeat();
      }),
    );
  }
  const admitted = new Map<string, string[]>();
  const refs = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const origin = `o${n % 6}`;
      return at(services, 0).jobs.work.create({ origin, n });
    }),
  );
  for (const ref of refs) expect((await ref.wait({ timeoutMs: 50_000 })).state).toBe('completed');
  expect(counted.most()).toBe(1);
  const created = await Promise.all(refs.map(({ id }) => bench.event(id, 'created')));
  for (const { event } of created.toSorted((a, b) => a.sequence - b.sequence)) {
    const { origin } = payload.parse(event.payload);
    admitted.set(origin, [...(admitted.get(origin) ?? []), event.jobId]);
  }
  expect(Object.fromEntries(started)).toEqual(Object.fromEntries(admitted));
});
