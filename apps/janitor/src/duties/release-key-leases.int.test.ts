import { type KV, Kvm } from '@nats-io/kv';
import { type ActiveSlot, type KeyRecord, keyBucketName, keyFreeSubject, keyRecordName } from '@trellis/contracts';
import { newKeyRecord } from '@trellis/lifecycle';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JanitorConfig } from '../config.ts';
import { type JanitorFixture, type JobIdentity, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { releaseKeyLeases } from './release-key-leases.ts';

let fixture: JanitorFixture;
let kv: KV;
beforeEach(async () => {
  fixture = await startFixture();
  kv = await new Kvm(fixture.nc).create(keyBucketName('zendesk-sync'), { history: 1 });
});
afterEach(() => fixture[Symbol.asyncDispose]());

const MINUTE = 60_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
const context = { requestId: 'r', traceId: 't', traceparent: 'p' };
const keyed = () => newJob('zendesk-sync', 'sync-tickets');
const hashOf = (letter: string) => letter.repeat(64);

const queuedJob = ({ id }: JobIdentity, ageMs = 10 * MINUTE) => ({
  jobId: id,
  createdAt: ago(ageMs),
  requestId: 'r',
  context,
});
const slotOf = ({ id }: JobIdentity, leaseExpiresAt: string): ActiveSlot => ({
  jobId: id,
  slotToken: `token-${id}`,
  instanceId: 'w',
  startedAt: ago(MINUTE),
  heartbeatAt: ago(MINUTE),
  leaseExpiresAt,
  tries: 1,
  context,
});

async function putRecord(letter: string, fields: Partial<KeyRecord> = {}): Promise<string> {
  const identity = {
    service: 'zendesk-sync',
    jobType: 'sync-tickets',
    key: `zendesk:${letter}`,
    keyHash: hashOf(letter),
  };
  const record = { ...newKeyRecord(identity, { maxActive: 1, maxQueuedPerKey: 5 }, new Date()), ...fields };
  const name = keyRecordName('zendesk-sync', 'sync-tickets', identity.keyHash);
  await kv.put(name, JSON.stringify(record));
  return name;
}

const recordOf = async (letter: string): Promise<KeyRecord | undefined> =>
  (await kv.get(keyRecordName('zendesk-sync', 'sync-tickets', hashOf(letter))))?.json();
const queuedIn = async (letter: string) => (await recordOf(letter))?.queued.map(({ jobId }) => jobId);

const pass = (settings: Partial<JanitorConfig> = {}, state: unknown = {}) =>
  fixture.pass(releaseKeyLeases(fixture.ports(settings)), state);

async function created(job = keyed()): Promise<JobIdentity> {
  await fixture.publish(job, 'created');
  return job;
}

describe('the places of a key', () => {
  it('are left by queued jobs that ended before they ran, and whoever waits is told', async () => {
    const cancelled = await created();
    const expired = await created();
    const waiting = await created();
    await fixture.publish(cancelled, 'cancelled', { state: 'cancelled' });
    await fixture.publish(expired, 'expired', { state: 'expired' });
    await fixture.project();
    await putRecord('a', { queued: [cancelled, expired, waiting].map((job) => queuedJob(job)) });
    const hint = new Promise((resolve) => {
      fixture.nc.subscribe(keyFreeSubject('zendesk-sync', 'sync-tickets'), {
        max: 1,
        callback: (_, message) => resolve(message.json()),
      });
    });
    await fixture.nc.flush();

    expect((await pass()).counts).toEqual({ checked: 1, dropped: 2, freed: 0, pruned: 0 });

    expect(await queuedIn('a')).toEqual([waiting.id]);
    expect(await hint).toEqual({ key: 'zendesk:a', keyHash: hashOf('a') });
    expect((await pass()).counts).toMatchObject({ checked: 1, dropped: 0 });
  });

  it('are left by phantoms of which the stream holds nothing a minute after their admission', async () => {
    const phantom = keyed();
    const young = keyed();
    const notProjected = await created();
    await putRecord('a', {
      queued: [queuedJob(phantom), queuedJob(young, 30_000), queuedJob(notProjected)],
    });
    expect((await pass()).counts).toMatchObject({ dropped: 1 });
    expect(await queuedIn('a')).toEqual([young.id, notProjected.id]);
  });

  it('are kept for a job whose row is behind: the stream decides', async () => {
    const retried = await created();
    await fixture.publish(retried, 'failed', { state: 'failed' });
    await fixture.project();
    await fixture.publish(retried, 'retried', { state: 'pending', payload: 1 });
    await putRecord('a', { queued: [queuedJob(retried)] });
    expect((await pass()).counts).toMatchObject({ dropped: 0 });
  });

  it('are freed when the owner died after its job had ended, not while the lease holds or the job is open', async () => {
    const ended = await created();
    await fixture.publish(ended, 'completed', { state: 'completed' });
    const open = await created();
    const over = ago(1_000);
    const later = new Date(Date.now() + MINUTE).toISOString();
    await putRecord('a', { active: [slotOf(ended, over)] });
    await putRecord('b', { active: [slotOf(ended, later)] });
    await putRecord('c', { active: [slotOf(open, over)] });
    await putRecord('d', { active: [slotOf(keyed(), over)] });

    expect((await pass()).counts).toMatchObject({ checked: 4, freed: 2 });

    const left = await Promise.all(['a', 'b', 'c', 'd'].map(async (letter) => (await recordOf(letter))?.active.length));
    expect(left).toEqual([0, 1, 1, 0]);
    expect((await recordOf('a'))?.staleTakeoverCount).toBe(0);
  });

  it('are forgotten when nobody has used the key for long, without a trace in the bucket', async () => {
    await putRecord('a', { updatedAt: ago(2 * MINUTE) });
    await putRecord('b', { updatedAt: ago(30_000) });
    await putRecord('c', { updatedAt: ago(2 * MINUTE), queued: [queuedJob(await created())] });
    expect((await pass({ janitorKeyIdleMs: MINUTE })).counts).toMatchObject({ checked: 3, pruned: 1 });
    const { state } = await fixture.stream.jsm.streams.info('KV_JOBS_KEYS_zendesk-sync');
    expect(state.messages).toBe(2);
    // A worker that had read the record before makes a new one.
    await putRecord('a');
    expect(await recordOf('a')).toBeDefined();
  });

  it('are not forgotten when the key was used between the look and the removal', async () => {
    const name = await putRecord('a', { updatedAt: ago(2 * MINUTE) });
    const entry = await fixture.keys.get('zendesk-sync', 'sync-tickets', hashOf('a'));
    await putRecord('a', { queued: [queuedJob(keyed())] });
    if (!entry) throw new Error(`${name} is not there`);
    expect(await fixture.keys.prune('zendesk-sync', entry)).toBe(false);
    expect(await recordOf('a')).toBeDefined();
  });

  it('of a record that cannot be read are reported, and the others are tended all the same', async () => {
    const cancelled = await created();
    await fixture.publish(cancelled, 'cancelled', { state: 'cancelled' });
    await fixture.project();
    await kv.put('zendesk-sync.sync-tickets.broken', '{"version": 2}');
    await putRecord('a', { queued: [queuedJob(cancelled)] });
    const { counts, problems } = await pass();
    expect(counts).toMatchObject({ checked: 2, dropped: 1 });
    expect(problems).toMatchObject([
      { code: 'unreadable-keys', service: 'zendesk-sync', records: ['zendesk-sync.sync-tickets.broken'] },
    ]);
  });

  it('are walked in bounded pages over all services, round and round', async () => {
    await new Kvm(fixture.nc).create(keyBucketName('other'), { history: 1 });
    for (const letter of ['a', 'b', 'c', 'd', 'e']) await putRecord(letter);
    await kv.delete(keyRecordName('zendesk-sync', 'sync-tickets', hashOf('b')));
    const checked: unknown[] = [];
    let state: unknown = {};
    for (let round = 0; round < 3; round++) {
      const result = await pass({ janitorPageSize: 3 }, state);
      checked.push(result.counts.checked);
      state = result.state;
    }
    expect(checked).toEqual([3, 1, 3]);
  });

  it('survive two replicas and a service that changes the records meanwhile', async () => {
    const jobs = await Promise.all(Array.from({ length: 10 }, () => created()));
    for (const job of jobs.slice(0, 5)) await fixture.publish(job, 'cancelled', { state: 'cancelled' });
    await fixture.project();
    const name = await putRecord('a', { queued: jobs.slice(0, 8).map((job) => queuedJob(job)) });
    const change = fixture.keys.change.bind(fixture.keys);
    let interfered = false;
    const interfere = async () => {
      const entry = await kv.get(name);
      const record: KeyRecord | undefined = entry?.json();
      if (!entry || !record || interfered) return;
      interfered = true;
      const queued = [...record.queued, ...jobs.slice(8).map((job) => queuedJob(job))];
      await kv.update(name, JSON.stringify({ ...record, queued }), entry.revision);
    };
    vi.spyOn(fixture.keys, 'change').mockImplementation(async (...args) => {
      await interfere();
      return change(...args);
    });
    const duties = ['a', 'b'].map((instanceId) => releaseKeyLeases(fixture.ports({ instanceId })));
    const passes = await Promise.all(duties.map((duty) => fixture.pass(duty)));

    expect(passes.reduce((sum, { counts }) => sum + (counts.dropped ?? 0), 0)).toBe(5);
    expect(await queuedIn('a')).toEqual(jobs.slice(5).map(({ id }) => id));
    fixture.replica('janitor-a', (ports) => [releaseKeyLeases(ports)], { janitorKeyIdleMs: 1 });
    fixture.replica('janitor-b', (ports) => [releaseKeyLeases(ports)], { janitorKeyIdleMs: 1 });
    await putRecord('b');
    await waitFor(async () => (await recordOf('b')) === undefined, { what: 'the idle record to go' });
    expect(await fixture.recorded('key-places')).toMatchObject({ error: null });
  });
});
