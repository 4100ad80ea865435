import { Kvm } from '@nats-io/kv';
import { silentLogger } from '@trellis/async';
import { keyBucketName, keyRecordName } from '@trellis/contracts';
import { createService, queue } from '@trellis/jobs';
import { newKeyRecord, takeSlot } from '@trellis/lifecycle';
import { PresenceStore, type WorkerPresence } from '@trellis/store-postgres';
import { waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JanitorConfig } from '../config.ts';
import { type JanitorFixture, type JobIdentity, newJob, startFixture } from '../testing/janitor-fixture.ts';
import { repairLostJobs } from './repair-lost-jobs.ts';

let fixture: JanitorFixture;
beforeEach(async () => {
  fixture = await startFixture();
  await keepPresence([]);
});
afterEach(() => fixture[Symbol.asyncDispose]());

const MINUTE = 60_000;
const later = () => Date.now() + 20 * MINUTE;

const look = (settings: Partial<JanitorConfig> = {}, state: unknown = {}, now = later) =>
  fixture.pass(repairLostJobs(fixture.ports(settings, { now })), state);

async function keepPresence(workers: Partial<WorkerPresence>[]): Promise<void> {
  const store = new PresenceStore(fixture.postgres, { leaseMs: 60_000 });
  const lease = await store.leases.acquire('aggregator');
  if (!lease) throw new Error('presence has an owner');
  const at = new Date().toISOString();
  const rows = workers.map(
    (worker): WorkerPresence => ({
      service: 'orders-service',
      type: 'reserve-inventory',
      instanceId: 'worker-1',
      status: 'live',
      firstSeenAt: at,
      lastSeenAt: at,
      heartbeatIntervalMs: 10_000,
      concurrency: undefined,
      version: undefined,
      activeJobs: undefined,
      activeJobCount: undefined,
      ...worker,
    }),
  );
  await store.flush(lease, rows, { sequence: 1, at, streamCreated: at });
}

/** A job whose worker vanished together with its work message. */
async function lostJob(fields: { instanceId?: string; tries?: number; state?: 'active' | 'retry' } = {}) {
  const job = newJob();
  const { tries = 1, state = 'active', instanceId } = fields;
  const worker = instanceId === undefined ? {} : { instanceId };
  const deadline = new Date(Date.now() + 60 * MINUTE).toISOString();
  const origin = await fixture.publish(job, 'created', { maxTries: 3, deadline, payload: { order: job.id } });
  await fixture.publish(job, 'started', { tries, ...worker });
  if (state === 'retry') await fixture.publish(job, 'retry', { state, tries });
  const work = await waitFor(() => fixture.work.findByOrigin(origin), { what: 'the work' });
  await fixture.stream.jsm.streams.deleteMessage('JOBS_WORK', work.sequence, false);
  return job;
}

async function heldJob(): Promise<JobIdentity> {
  const job = newJob();
  await fixture.publish(job, 'created', { maxTries: 3 });
  await fixture.publish(job, 'started', { tries: 1 });
  return job;
}

describe('lost jobs', () => {
  it('are started jobs without work message, worker and lease that have been silent for long', async () => {
    const active = await lostJob();
    const waiting = await lostJob({ state: 'retry' });
    await heldJob();
    await fixture.publish(newJob(), 'created');
    await fixture.project();

    expect(await look({}, {}, () => Date.now() + 9 * MINUTE)).toMatchObject({
      counts: { checked: 0, lost: 0 },
      problems: [],
    });
    const { counts, problems } = await look();

    expect(counts).toEqual({ checked: 3, lost: 2 });
    expect(problems).toMatchObject([
      { code: 'lost-jobs', state: 'active', count: 1, jobs: [active.id] },
      { code: 'lost-jobs', state: 'retry', count: 1, jobs: [waiting.id] },
    ]);
    expect(await fixture.eventsOf(active)).toEqual(['created', 'started']);
  });

  it('are not those whose worker lives, be it late', async () => {
    await lostJob({ instanceId: 'worker-1' });
    await fixture.project();
    await keepPresence([{ status: 'late' }]);
    expect((await look()).counts).toMatchObject({ lost: 0 });
    await keepPresence([{ status: 'gone', lastSeenAt: new Date().toISOString() }, { instanceId: 'worker-2' }]);
    expect((await look()).counts).toMatchObject({ lost: 1 });
  });

  it('are not those of an unnamed worker while any worker of the job type lives', async () => {
    await lostJob();
    await fixture.project();
    await keepPresence([{ instanceId: 'worker-7' }]);
    expect((await look()).counts).toMatchObject({ lost: 0 });
  });

  it('are not those that hold a lease on their key, until it is over', async () => {
    const job = await lostJob();
    const leaseExpiresAt = new Date(Date.now() + 30 * MINUTE).toISOString();
    await fixture.publish(job, 'heartbeat', { concurrency: { key: 'k', keyHash: 'h', leaseExpiresAt } });
    await fixture.project();
    expect((await look()).counts).toMatchObject({ lost: 0 });
    expect((await look({}, {}, () => Date.now() + 40 * MINUTE)).counts).toMatchObject({ lost: 1 });
  });

  it('are not those whose lease was renewed in the bucket since: that one is the truth', async () => {
    const job = await lostJob();
    const keyHash = 'a'.repeat(64);
    const over = new Date(Date.now() - MINUTE).toISOString();
    await fixture.publish(job, 'heartbeat', { concurrency: { key: 'k', keyHash, leaseExpiresAt: over } });
    await fixture.project();
    const identity = { service: job.service, jobType: job.type, key: 'k', keyHash };
    const wish = {
      jobId: job.id,
      tries: 1,
      context: { requestId: 'r', traceId: 't', traceparent: 'p' },
      limits: { maxActive: 1, maxQueuedPerKey: 0 },
      liveMs: 1_000,
      runningHere: false,
      stalePolicy: 'block' as const,
      instanceId: 'w',
      slotToken: 'token',
      leaseMs: 30 * MINUTE,
    };
    const { record } = takeSlot(newKeyRecord(identity, wish.limits, new Date()), wish, new Date());
    const kv = await new Kvm(fixture.nc).create(keyBucketName(job.service), { history: 1 });
    await kv.put(keyRecordName(job.service, job.type, keyHash), JSON.stringify(record));
    expect((await look()).counts).toMatchObject({ lost: 0 });
    expect((await look({}, {}, () => Date.now() + 40 * MINUTE)).counts).toMatchObject({ lost: 1 });
  });

  it('are not looked for while nobody keeps presence', async () => {
    await lostJob();
    await fixture.project();
    await fixture.postgres.query(`update pipelines set lease_until = now() where name = 'presence'`);
    expect(await look()).toMatchObject({ counts: { presenceUnknown: 1 }, problems: [{ code: 'presence-unknown' }] });
  });

  it('are not those that have ended although their row says active', async () => {
    const job = await lostJob();
    await fixture.project();
    await fixture.publish(job, 'completed', { state: 'completed' });
    expect((await look({ requeueLostJobs: true })).counts).toMatchObject({ checked: 1, lost: 0 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'started', 'completed']);
  });

  it('are queued again, once, by two replicas, when the operator wants it, and run', async () => {
    const job = await lostJob();
    await fixture.project();
    const settings = { requeueLostJobs: true };
    const passes = await Promise.all([look({ ...settings, instanceId: 'a' }), look({ ...settings, instanceId: 'b' })]);

    expect(passes.reduce((sum, { counts }) => sum + (counts.requeued ?? 0), 0)).toBe(1);
    expect(await fixture.eventsOf(job)).toEqual(['created', 'started', 'failed', 'retried']);
    const { job: folded, events } = await fixture.stream.readJob(job.id);
    expect(folded).toMatchObject({ state: 'pending', tries: 0, maxTries: 3 });
    expect(events[3]?.event).toMatchObject({
      payload: { order: job.id },
      actor: { kind: 'janitor' },
      reason: 'repair of a lost job',
    });
    const length = Date.parse(folded?.deadline ?? '') - Date.parse(folded?.originAt ?? '');
    expect(Math.round(length / MINUTE)).toBe(60);

    const ran: string[] = [];
    const service = await createService({
      name: 'orders-service',
      nats: fixture.nc,
      queues: { 'reserve-inventory': queue({ payload: z.object({ order: z.string() }) }) },
      log: silentLogger(),
    });
    await service.jobs.reserveInventory.handle((active) => {
      ran.push(active.payload.order);
    });
    await waitFor(async () => (await fixture.eventsOf(job)).includes('completed'), { what: 'the job to run' });
    await service.stop();
    expect(ran).toEqual([job.id]);
  });

  it('are dead instead when no attempt is left', async () => {
    const job = await lostJob({ tries: 3 });
    await fixture.project();
    expect((await look({ requeueLostJobs: true })).counts).toMatchObject({ lost: 1, dead: 1 });
    expect(await fixture.eventsOf(job)).toEqual(['created', 'started', 'dead']);
  });

  it('stay reported when their payload is no longer in the stream', async () => {
    const job = await lostJob();
    await fixture.project();
    await fixture.stream.jsm.streams.purge('JOBS', { filter: `trellis.jobs.*.*.${job.id}.created` });
    const { counts, problems } = await look({ requeueLostJobs: true });
    expect(counts).toMatchObject({ lost: 1, payloadGone: 1 });
    expect(problems).toMatchObject([{ code: 'lost-jobs', jobs: [job.id] }]);
  });
});
