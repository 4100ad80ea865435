import { keyBucketName } from '@trellis/contracts';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { AdmissionRejected, queue } from '../index.ts';
import { type Bench, CONTEXT, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { readRecord, TEMPLATE, writeRecord } from '../testing/key-record.fixture.ts';

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({ origin: z.union([z.string(), z.number()]), n: z.number().optional() });
const keyed = (policy: { maxQueuedPerKey?: number; whenFull?: 'reject' | 'coalesce' | 'replace-oldest' } = {}) => ({
  work: queue({ payload, keyConcurrency: { key: TEMPLATE }, queue: policy }),
});

const record = (service: string, origin: string) => readRecord(bench.stream, service, origin);

it('a service without keyed queues makes no bucket, and submit creates', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  const submitted = await service.jobs.work.submit({ origin: 'foo' });
  expect(submitted.outcome).toBe('accepted');
  const buckets = await bench.stream.jsm.streams.names().next();
  expect(buckets).not.toContain(`KV_${keyBucketName(service.name)}`);
});

it('an accepted job stands in the record, and its event names key and outcome', async () => {
  const service = await bench.service(keyed());
  const ref = await service.jobs.work.create({ origin: 'foo' });
  const [created] = await bench.events(ref.id);
  const stored = await record(service.name, 'foo');
  expect(created?.event).toMatchObject({
    concurrency: { key: 'k:foo', keyHash: stored?.keyHash },
    queuePolicy: { outcome: 'accepted' },
  });
  expect(stored).toMatchObject({ key: 'k:foo', active: [], queued: [{ jobId: ref.id }], maxActive: 1 });
});

it('create rejects when the key is full, publishes nothing and leaves the reason in the record; other keys have room', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 1, whenFull: 'replace-oldest' }));
  const { work } = service.jobs;
  await work.create({ origin: 'foo' });
  await work.create({ origin: 'foo' });
  const id = ulid();
  const refused = work.create({ origin: 'foo' }, { id });
  await expect(refused).rejects.toThrow(AdmissionRejected);
  await expect(refused).rejects.toMatchObject({ reason: 'queue-depth', key: 'k:foo' });
  expect(await bench.events(id)).toEqual([]);
  expect((await record(service.name, 'foo'))?.lastPolicy).toMatchObject({ reason: 'queue-depth', jobId: id });
  await work.create({ origin: 'bar' });
});

it('1 and "1" are two keys that look alike', async () => {
  const service = await bench.service(keyed());
  await service.jobs.work.create({ origin: '1' });
  await service.jobs.work.create({ origin: 1 });
});

it('a payload from which no key can be made is refused by its field', async () => {
  const service = await bench.service({
    work: queue({ payload: z.object({}).loose(), keyConcurrency: { key: ['/origin'] } }),
  });
  await expect(service.jobs.work.create({ origin: { x: 1 } })).rejects.toThrow('payload.origin: ');
});

it('submit with reject answers with the reason', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 0 }));
  await service.jobs.work.submit({ origin: 'foo' });
  expect(await service.jobs.work.submit({ origin: 'foo' })).toEqual({
    outcome: 'rejected',
    reason: 'active-limit',
    key: 'k:foo',
  });
});

it('submit with coalesce gives the job that waits, and creates none', async () => {
  const service = await bench.service(keyed({ whenFull: 'coalesce' }));
  const first = await service.jobs.work.create({ origin: 'foo' });
  const before = await bench.stream.info();
  const submitted = await service.jobs.work.submit({ origin: 'foo' });
  expect(submitted).toMatchObject({ outcome: 'coalesced', ref: { id: first.id } });
  expect((await bench.stream.info()).lastSequence).toBe(before.lastSequence);
  expect((await record(service.name, 'foo'))?.lastPolicy).toMatchObject({ outcome: 'coalesced', jobId: first.id });
});

it('submit with replace-oldest skips the oldest job that waits: it never runs, the new one does', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 0, whenFull: 'replace-oldest' }));
  const first = await service.jobs.work.create({ origin: 'foo', n: 1 });
  const submitted = await service.jobs.work.submit({ origin: 'foo', n: 2 });
  if (submitted.outcome !== 'replaced') throw new Error(submitted.outcome);
  expect(submitted.replacedJobId).toBe(first.id);
  expect((await first.wait()).state).toBe('skipped');
  expect((await bench.events(submitted.ref.id))[0]?.event.queuePolicy).toEqual({
    outcome: 'replaced',
    replacedJobId: first.id,
  });
  const ran: unknown[] = [];
  await service.jobs.work.handle((job) => void ran.push(job.payload.n));
  expect((await submitted.ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  await bench.workDone(service.name, 'work');
  expect(ran).toEqual([2]);
});

it('creating the same id again gives the job, also when the key is full, and takes no further place', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 1 }));
  const { work } = service.jobs;
  const id = ulid();
  await work.create({ origin: 'foo' }, { id });
  await work.create({ origin: 'foo' }, { id });
  expect((await record(service.name, 'foo'))?.queued).toHaveLength(1);
  await work.create({ origin: 'foo' });
  await work.create({ origin: 'foo' }, { id });
  expect((await record(service.name, 'foo'))?.queued).toHaveLength(2);
});

it('an id that belongs to another owner is refused, and its entry removed again', async () => {
  const service = await bench.service(keyed());
  const id = ulid();
  await bench.publish({ jobId: id, service: newName(), jobType: 't', eventType: 'created' });
  await expect(service.jobs.work.create({ origin: 'foo' }, { id })).rejects.toThrow('id: ');
  expect((await record(service.name, 'foo'))?.queued ?? []).toEqual([]);
});

it('of fifty concurrent creations from two instances exactly as many are accepted as there is room', async () => {
  const name = newName();
  const queues = keyed({ maxQueuedPerKey: 9 });
  const services = await Promise.all([1, 2].map(() => bench.service(queues, { name })));
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) => services[n % 2]?.jobs.work.create({ origin: 'foo' })),
  );
  const accepted = results.filter(({ status }) => status === 'fulfilled');
  expect(accepted).toHaveLength(10);
  expect((await record(name, 'foo'))?.queued).toHaveLength(10);
});

it('jobs that one instance creates for a key stand in the stream in the order of their admission', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 100 }));
  const refs = await Promise.all(Array.from({ length: 30 }, () => service.jobs.work.create({ origin: 'foo' })));
  const created = await Promise.all(refs.map(({ id }) => bench.event(id, 'created')));
  const inStream = created.toSorted((a, b) => a.sequence - b.sequence).map(({ event }) => event.jobId);
  expect((await record(service.name, 'foo'))?.queued.map(({ jobId }) => jobId)).toEqual(inStream);
});

it('creations of a key that wait for an earlier one change its record together', async () => {
  const service = await bench.service(keyed({ maxQueuedPerKey: 40 }));
  const create = () => service.jobs.work.submit({ origin: 'foo' });
  const submitted = await Promise.all(Array.from({ length: 50 }, create));
  const outcomes = submitted.map(({ outcome }) => outcome);
  // Room for forty to wait and one to run.
  expect(outcomes).toEqual([...Array(41).fill('accepted'), ...Array(9).fill('rejected')]);
  expect((await record(service.name, 'foo'))?.queued).toHaveLength(41);
  const { state } = await bench.stream.jsm.streams.info(`KV_${keyBucketName(service.name)}`);
  expect(state.last_seq).toBe(2);
});

it('an entry that is older than a minute and whose job was never created gives its place to the next one', async () => {
  const service = await bench.service(keyed());
  const { id } = await service.jobs.work.create({ origin: 'foo' });
  const old = new Date(Date.now() - 61_000).toISOString();
  const phantom = { jobId: ulid(), createdAt: old, requestId: 'r', context: CONTEXT };
  await writeRecord(bench.stream, service.name, 'foo', { queued: [phantom] });
  const ref = await service.jobs.work.create({ origin: 'foo' });
  expect((await record(service.name, 'foo'))?.queued.map(({ jobId }) => jobId)).toEqual([ref.id]);
  expect(id).not.toBe(ref.id);
  // One that was created stays, however old it is.
  await writeRecord(bench.stream, service.name, 'foo', { queued: [{ ...phantom, jobId: ref.id }] });
  await expect(service.jobs.work.create({ origin: 'foo' })).rejects.toThrow(AdmissionRejected);
});
