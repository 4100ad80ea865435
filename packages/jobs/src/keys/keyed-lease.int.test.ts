import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ActiveSlot } from '@trellis/contracts';
import { JobStream } from '@trellis/nats';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { JobStopped, type Queue, queue } from '../index.ts';
import { type Bench, CONTEXT, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { keyOf, readRecord, TEMPLATE, writeRecord } from '../testing/key-record.fixture.ts';

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

const payload = z.object({ origin: z.string() });
const TTL_MS = 3_000;
const keyed = (
  stalePolicy: 'fail-stale' | 'block' = 'fail-stale',
  heartbeatTtlMs = TTL_MS,
): { work: Queue<typeof payload> } => ({
  work: queue({
    payload,
    concurrency: 4,
    keyConcurrency: { key: TEMPLATE, heartbeatTtlMs, stalePolicy },
    queue: { maxQueuedPerKey: 9 },
  }),
});
const record = (service: string) => readRecord(bench.stream, service, 'foo');
const until = <T>(what: string, predicate: () => T | Promise<T>) =>
  waitFor(async () => predicate(), { what, timeoutMs: 30_000 });

const slotOf = (jobId: string, ago: number, ttlMs = TTL_MS): ActiveSlot => {
  const beat = new Date(Date.now() - ago).toISOString();
  const leaseExpiresAt = new Date(Date.parse(beat) + ttlMs).toISOString();
  return {
    jobId,
    slotToken: ulid(),
    instanceId: 'lost',
    startedAt: beat,
    heartbeatAt: beat,
    leaseExpiresAt,
    tries: 1,
    context: CONTEXT,
  };
};

/** A job that some process started and then fell silent; its work message is gone with it. */
async function silentJob(service: string, ended?: 'completed' | 'retry'): Promise<string> {
  const jobId = ulid();
  const job = { jobId, service, jobType: 'work', concurrency: keyOf(service, 'foo') };
  await bench.publish({ ...job, eventType: 'created', payload: { origin: 'foo' } });
  await bench.publish({ ...job, eventType: 'started', state: 'active', tries: 1, instanceId: 'lost' });
  if (ended) await bench.publish({ ...job, eventType: ended, state: ended, tries: 1 });
  const { jsm, names } = bench.stream;
  const filter = `trellis.work.${service}.work`;
  await until('its work message', async () => (await jsm.streams.purge(names.work, { filter })).purged > 0);
  await writeRecord(bench.stream, service, 'foo', { active: [slotOf(jobId, 60_000)] });
  return jobId;
}

/** A worker process, once it has started the job. */
async function workerThatStarted(service: string, jobId: string): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('../testing/killable-worker.fixture.ts', import.meta.url));
  const args = [file, nats.url, service, 'work', '5', String(TTL_MS / 2), String(TTL_MS)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) if (line === jobId) break;
  return child;
}

it('the job of a killed worker takes its own place back: another attempt, no stale, no takeover', async () => {
  const name = newName();
  const service = await bench.service(keyed(), { name });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const child = await workerThatStarted(name, ref.id);
  const next = await service.jobs.work.create({ origin: 'foo' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  const seen: [string, number][] = [];
  await service.jobs.work.handle((job) => void seen.push([job.id, job.attempt]));
  for (const one of [ref, next]) expect((await one.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(seen).toEqual([
    [ref.id, 2],
    [next.id, 1],
  ]);
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'started', 'completed']);
  expect((await record(name))?.staleTakeoverCount).toBe(0);
});

it('the job of a lost worker is brought back by whoever wants the key, while its lease holds', async () => {
  const ttlMs = 90_000;
  const service = await bench.service(keyed('fail-stale', ttlMs));
  const silent = await silentJob(service.name);
  await writeRecord(bench.stream, service.name, 'foo', { active: [slotOf(silent, 65_000, ttlMs)] });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const ran: [string, number][] = [];
  await service.jobs.work.handle((job) => void ran.push([job.id, job.attempt]));
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(ran).toEqual([
    [silent, 2],
    [ref.id, 1],
  ]);
  expect((await record(service.name))?.staleTakeoverCount).toBe(0);
});

it('a lease that ran out: its job is stale, the next one runs, the takeover is counted', async () => {
  const service = await bench.service(keyed());
  const silent = await silentJob(service.name);
  const ref = await service.jobs.work.create({ origin: 'foo' });
  await service.jobs.work.handle(() => {});
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  const events = await bench.events(silent);
  expect(events.map(({ event }) => event.eventType)).toEqual(['created', 'started', 'stale']);
  expect(events.at(-1)?.event).toMatchObject({ tries: 1, error: expect.stringContaining('lost') });
  expect((await bench.event(ref.id, 'started')).sequence).toBeGreaterThan(events.at(-1)?.sequence ?? 0);
  await until('a free key', async () => (await record(service.name))?.active.length === 0);
  expect(await record(service.name)).toMatchObject({ staleTakeoverCount: 1, lastPolicy: { reason: 'stale' } });
});

it('a job whose worker was lost before its start is first again when the lease has run out', async () => {
  const service = await bench.service(keyed());
  const [first, second] = [
    await service.jobs.work.create({ origin: 'foo' }),
    await service.jobs.work.create({ origin: 'foo' }),
  ];
  const queued = (await record(service.name))?.queued ?? [];
  const lost = { ...slotOf(first.id, 60_000), queuedAt: queued[0]?.createdAt };
  await writeRecord(bench.stream, service.name, 'foo', { active: [lost], queued: queued.slice(1) });
  // Only the second one's message comes.
  const { jsm, names } = bench.stream;
  const message = await until('its work message', () =>
    jsm.streams.getMessage(names.work, { last_by_subj: `trellis.work.${service.name}.work` }),
  );
  await jsm.streams.purge(names.work, { filter: `trellis.work.${service.name}.work`, seq: message.seq });
  const ran: string[] = [];
  await service.jobs.work.handle((job) => void ran.push(job.id));
  expect((await second.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(ran).toEqual([first.id, second.id]);
  expect((await record(service.name))?.staleTakeoverCount).toBe(0);
});

it.each(['completed', 'retry'] as const)(
  'a lease that ran out of a job that ended by itself (%s) is cleared: no stale, no takeover',
  async (ended) => {
    const service = await bench.service(keyed());
    const silent = await silentJob(service.name, ended);
    const ref = await service.jobs.work.create({ origin: 'foo' });
    await service.jobs.work.handle(() => {});
    expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
    // What waits for another attempt hears of it, which refuses a start by the lost worker.
    const heard = ended === 'retry' ? ['logged'] : [];
    expect(await bench.types(silent)).toEqual(['created', 'started', ended, ...heard]);
    expect((await record(service.name))?.staleTakeoverCount).toBe(0);
  },
);

it('with stalePolicy block a lease that ran out keeps its place, which the record says; the next one waits', async () => {
  const service = await bench.service(keyed('block', 1_000));
  const silent = await silentJob(service.name);
  const ref = await service.jobs.work.create({ origin: 'foo' });
  await service.jobs.work.handle(() => {});
  await until('several visits', () => service.jobs.work.counts.parked >= 3);
  expect(await bench.types(ref.id)).toEqual(['created']);
  expect(await bench.types(silent)).toEqual(['created', 'started']);
  expect((await record(service.name))?.lastPolicy).toMatchObject({ reason: 'stale-blocked', jobId: silent });
  await writeRecord(bench.stream, service.name, 'foo', { active: [] });
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
});

it('a run that lost its place is told so, and its completion is ignored', async () => {
  const service = await bench.service(keyed('fail-stale', 600));
  const because: unknown[] = [];
  await service.jobs.work.handle(async (job) => {
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    because.push(job.signal.reason);
    return { done: true };
  });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  await bench.event(ref.id, 'started');
  await writeRecord(bench.stream, service.name, 'foo', { active: [slotOf(ulid(), -60_000)] });
  const ignored = await bench.event(ref.id, 'staleCompletionIgnored');
  expect(ignored.event).toMatchObject({ tries: 1, concurrency: { key: 'k:foo', instanceId: service.instanceId } });
  expect(because[0]).toBeInstanceOf(JobStopped);
  expect(because).toMatchObject([{ because: 'stale' }]);
  expect(await bench.types(ref.id)).not.toContain('completed');
  expect(service.jobs.work.counts.superseded).toBe(1);
});

it('a process that was stopped for longer than its lease completes nothing; its job was run by another one', async () => {
  const name = newName();
  const service = await bench.service(keyed(), { name });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const child = await workerThatStarted(name, ref.id);
  child.kill('SIGSTOP');
  await service.jobs.work.handle(() => {});
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  child.kill('SIGCONT');
  expect((await bench.event(ref.id, 'staleCompletionIgnored')).event.tries).toBe(1);
  expect((await bench.types(ref.id)).filter((type) => type !== 'staleCompletionIgnored')).toEqual([
    'created',
    'started',
    'started',
    'completed',
  ]);
});

it('a process that was stopped between taking a place and its start starts nothing while somebody else has the place', async () => {
  const service = await bench.service({
    work: queue({
      payload,
      backoffMs: [10],
      keyConcurrency: { key: TEMPLATE, heartbeatTtlMs: 600 },
      queue: { maxQueuedPerKey: 9 },
    }),
  });
  const { work } = service.jobs;
  const [stopped, goesOn, running, door] = [gate(), gate(), gate(), gate()];
  const id = ulid();
  const { publish } = JobStream.prototype;
  let stops = 1;
  const spy = vi.spyOn(JobStream.prototype, 'publish');
  spy.mockImplementation(async function (this: JobStream, event, options) {
    if (event.jobId === id && event.eventType === 'started' && event.tries === 2 && stops-- > 0) {
      stopped.open();
      await goesOn.opened;
    }
    return publish.call(this, event, options);
  });
  await work.handle(async (job) => {
    if (job.id !== id) {
      running.open();
      await door.opened;
    } else if (job.attempt === 1) throw new Error('once more');
  });
  const first = await work.create({ origin: 'foo' }, { id });
  await stopped.opened;
  const slot = (await record(service.name))?.active[0];
  expect(slot?.jobId).toBe(id);
  await until('the end of the lease', () => Date.parse(slot?.leaseExpiresAt ?? '') < Date.now());
  const second = await work.create({ origin: 'foo' });
  await running.opened;
  const { parked } = work.counts;
  goesOn.open();
  await until('what the process does that goes on', () => work.counts.parked > parked || work.counts.started > 2);
  door.open();
  for (const ref of [first, second]) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  spy.mockRestore();
  const again = await bench.event(id, 'started', 2);
  expect(again.sequence).toBeGreaterThan((await bench.event(second.id, 'completed')).sequence);
});

it('the server being away for a while costs no place: what runs is completed, what waits runs next', async () => {
  const service = await bench.service(keyed());
  const door = gate();
  const order: string[] = [];
  await service.jobs.work.handle(async (job) => {
    order.push(job.id);
    await door.opened;
  });
  const first = await service.jobs.work.create({ origin: 'foo' });
  await bench.event(first.id, 'started');
  const second = await service.jobs.work.create({ origin: 'foo' });
  await nats.kill();
  await nats.restart();
  door.open();
  for (const ref of [first, second]) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect(order).toEqual([first.id, second.id]);
  expect(await bench.types(first.id)).toEqual(['created', 'started', 'completed']);
});

it('a worker that ends with a place in hand and comes back under its name takes it back at once', async () => {
  const name = newName();
  const long = keyed('fail-stale', 3_600_000);
  const service = await bench.service(long, { name, instanceId: 'pod-1' });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const queued = (await record(name))?.queued ?? [];
  expect(queued).toHaveLength(1);
  await writeRecord(bench.stream, name, 'foo', { queued: [], active: [{ ...slotOf(ref.id, 0), instanceId: 'pod-1' }] });
  const door = gate();
  await service.jobs.work.handle(() => door.open());
  await door.opened;
  expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
});
