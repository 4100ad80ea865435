// Jobs.GetKey against a real bucket.
import { createHash } from 'node:crypto';
import { type KV, Kvm } from '@nats-io/kv';
import { type KeyRecord, KeyStatus, keyBucketName, keyRecordName } from '@trellis/contracts';
import { admit, newKeyRecord } from '@trellis/lifecycle';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { eventOf, newJob } from '../testing/job-events.ts';

const SERVICE = 'zendesk-sync';
const TYPE = 'sync-tickets';
let gateway: GatewayFixture;
let bucket: KV;
beforeAll(async () => {
  gateway = await startGateway();
  bucket = await new Kvm(gateway.nc).create(keyBucketName(SERVICE), { history: 1 });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const { context } = eventOf(newJob(), 'created');
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const record = (key: string, changes: Partial<KeyRecord> = {}): KeyRecord => ({
  ...newKeyRecord(
    { service: SERVICE, jobType: TYPE, key, keyHash: hashOf(key) },
    { maxActive: 1, maxQueuedPerKey: 0 },
    new Date(),
  ),
  ...changes,
});
const slot = (jobId: string, heartbeatAgeMs: number, leaseMs: number): KeyRecord['active'][number] => ({
  jobId,
  slotToken: 'the-token',
  instanceId: 'worker-1',
  startedAt: ago(60_000),
  heartbeatAt: ago(heartbeatAgeMs),
  leaseExpiresAt: ago(-leaseMs),
  tries: 1,
  context,
});
const write = (value: KeyRecord) => bucket.put(keyRecordName(SERVICE, TYPE, value.keyHash), JSON.stringify(value));
const jobWithKey = async (key: string, keyHash = hashOf(key)) => {
  const job = newJob(SERVICE, TYPE);
  await gateway.publish(job, 'created', { concurrency: { key, keyHash } });
  await gateway.projected();
  return job;
};
const ask = async (key: string, type = TYPE) =>
  KeyStatus.parse(await gateway.client.rpc.jobs.getKey({ service: SERVICE, type, key }));
const refused = (key: string, type = TYPE) =>
  ask(key, type).then(
    () => undefined,
    (error: unknown) => error,
  );

it('shows holders with their heartbeat and lease, the queue, takeovers and the latest reason, and no token', async () => {
  const key = 'zendesk:foo:tickets';
  const job = await jobWithKey(key);
  const queued = [1, 2].map((n) => ({ jobId: `waits-${n}`, createdAt: ago(n), requestId: 'r', context }));
  const lastPolicy = { outcome: 'coalesced', reason: 'coalesced', at: ago(1) };
  await write(record(key, { active: [slot(job.id, 4_000, 60_000)], queued, staleTakeoverCount: 2, lastPolicy }));
  const status = await ask(key);
  expect(status).toEqual({
    service: SERVICE,
    type: TYPE,
    key,
    keyHash: hashOf(key),
    active: [
      {
        jobId: job.id,
        instanceId: 'worker-1',
        startedAt: expect.any(String),
        heartbeatAt: expect.any(String),
        heartbeatAgeMs: expect.any(Number),
        leaseExpiresAt: expect.any(String),
        stale: false,
      },
    ],
    queued: queued.map(({ jobId, createdAt }) => ({ jobId, createdAt })),
    queuedDepth: 2,
    heartbeatAgeMs: status.active[0]?.heartbeatAgeMs,
    staleTakeoverCount: 2,
    latestPolicyReason: 'coalesced',
  });
  expect(status.heartbeatAgeMs).toBeGreaterThanOrEqual(4_000);
});

it('says stale from the lease, and reads what is there now', async () => {
  const job = await jobWithKey('stale-key');
  await write(record('stale-key', { active: [slot(job.id, 90_000, -1_000)] }));
  expect((await ask('stale-key')).active).toMatchObject([{ stale: true }]);
  await write(record('stale-key', { active: [slot(job.id, 0, 60_000)] }));
  expect((await ask('stale-key')).active).toMatchObject([{ stale: false }]);
});

it('shows a rejection, which creates no job, and a key whose jobs are not projected', async () => {
  const job = { jobId: 'refused', createdAt: ago(1), requestId: 'r', context };
  const busy = record('busy-key', { active: [slot('holder', 0, 60_000)] });
  const limits = { maxActive: 1, maxQueuedPerKey: 0 };
  const rejected = admit(busy, { job, whenFull: 'reject', limits }, new Date());
  await write(rejected.record);
  expect(await ask('busy-key')).toMatchObject({ latestPolicyReason: 'active-limit', queuedDepth: 0 });
});

it('is empty for a key that is known and idle, and not found for one that was never seen', async () => {
  await jobWithKey('idle-key');
  const empty = { keyHash: hashOf('idle-key'), active: [], queued: [], queuedDepth: 0, staleTakeoverCount: 0 };
  expect(await ask('idle-key')).toEqual({ service: SERVICE, type: TYPE, key: 'idle-key', ...empty });
  await write(record('idle-key'));
  await bucket.delete(keyRecordName(SERVICE, TYPE, hashOf('idle-key')));
  expect(await ask('idle-key')).toMatchObject(empty);
  expect(await refused('never-seen')).toMatchObject({ code: 'not-found', details: { resource: 'key' } });
  expect(await refused('idle-key', 'another-type')).toMatchObject({ code: 'not-found' });
  const other = gateway.client.rpc.jobs.getKey({ service: 'no-bucket', type: TYPE, key: 'k' });
  await expect(other).rejects.toMatchObject({ code: 'not-found' });
});

it('lists the hashes of keys that look alike, and takes one of them instead', async () => {
  const [number, text] = [hashOf('number-1'), hashOf('text-1')];
  await jobWithKey('1', number);
  await jobWithKey('1', text);
  const error = await refused('1');
  expect(error).toMatchObject({
    code: 'invalid-request',
    type: 'ValidationError',
    details: { context: { keyHashes: [number, text].sort() } },
  });
  await write(record('1', { keyHash: text, staleTakeoverCount: 7 }));
  expect(await ask(text)).toMatchObject({ key: '1', keyHash: text, staleTakeoverCount: 7 });
});
