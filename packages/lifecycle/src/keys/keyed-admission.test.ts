import type { KeyRecord, QueuedJob } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import { type Admission, admit, dropQueued, phantomSuspects } from './admit.ts';
import { leaveKey, putBack, release, renew, type SlotRequest, takeHead, takeOver, takeSlot } from './key-lease.ts';
import { expiredSlots, isPrunable, type KeyLimits, newKeyRecord } from './key-record.ts';
import { toKeyStatus } from './key-status.ts';

const context = { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
const identity = { service: 's', jobType: 't', key: 'k', keyHash: 'f'.repeat(64) };
const LEASE_MS = 1_200;
const at = (ms: number) => new Date(1_800_000_000_000 + ms);
const queuedJob = (jobId: string, ms = 0): QueuedJob => ({
  jobId,
  createdAt: at(ms).toISOString(),
  requestId: 'r',
  context,
});
const limits = (maxQueuedPerKey = 2, maxActive = 1): KeyLimits => ({ maxActive, maxQueuedPerKey });
const empty = (of = limits()) => newKeyRecord(identity, of, at(0));

const admission = (jobId: string, changes: Partial<Admission> = {}): Admission => ({
  job: queuedJob(jobId),
  whenFull: 'strict',
  limits: limits(),
  ...changes,
});
const wish = (jobId: string, changes: Partial<SlotRequest> = {}): SlotRequest => ({
  jobId,
  instanceId: 'one',
  slotToken: `token-${jobId}`,
  leaseMs: LEASE_MS,
  tries: 1,
  context,
  limits: limits(),
  liveMs: 600,
  runningHere: false,
  stalePolicy: 'fail-stale',
  ...changes,
});
/** A record in which these were admitted in this order. */
const withQueued = (jobIds: string[], of = limits(100)): KeyRecord =>
  jobIds.reduce((record, id) => admit(record, admission(id, { limits: of }), at(0)).record, empty(of));
const ids = (record: KeyRecord) => ({
  active: record.active.map(({ jobId }) => jobId),
  queued: record.queued.map(({ jobId }) => jobId),
});

describe('admission', () => {
  it('takes as many as may wait, and one for each place that is free', () => {
    let record = empty();
    const kinds = ['a', 'b', 'c', 'd'].map((id) => {
      const admitted = admit(record, admission(id), at(0));
      record = admitted.record;
      return admitted.outcome;
    });
    expect(kinds.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted', 'rejected']);
    expect(kinds[3]).toEqual({ kind: 'rejected', reason: 'queue-depth' });
    expect(ids(record).queued).toEqual(['a', 'b', 'c']);
    expect(record.lastPolicy).toEqual({
      outcome: 'rejected',
      reason: 'queue-depth',
      jobId: 'd',
      at: at(0).toISOString(),
    });
  });

  it('of a key without a queue the next is rejected while one is under way', () => {
    const none = limits(0);
    const one = admit(empty(none), admission('a', { limits: none }), at(0)).record;
    const running = takeSlot(one, wish('a', { limits: none }), at(0)).record;
    for (const record of [one, running]) {
      const { outcome } = admit(record, admission('b', { limits: none }), at(0));
      expect(outcome).toEqual({ kind: 'rejected', reason: 'active-limit' });
    }
  });

  it('a job that waits or runs already is not admitted again, and nothing is written', () => {
    const record = takeSlot(withQueued(['a', 'b']), wish('a'), at(0)).record;
    for (const id of ['a', 'b']) {
      const again = admit(record, admission(id), at(1));
      expect(again.outcome).toEqual({ kind: 'already' });
      expect(again.record).toBe(record);
    }
  });

  it('coalesce answers with the newest that waits, else with the one that runs', () => {
    const full = withQueued(['a', 'b', 'c'], limits());
    const outcome = admit(full, admission('d', { whenFull: 'coalesce' }), at(1));
    expect(outcome.outcome).toEqual({ kind: 'coalesced', existingJobId: 'c' });
    expect(outcome.record.lastPolicy).toMatchObject({ outcome: 'coalesced', jobId: 'c' });
    const none = limits(0);
    const running = takeSlot(withQueued(['a'], none), wish('a', { limits: none }), at(0)).record;
    const other = admit(running, admission('b', { limits: none, whenFull: 'coalesce' }), at(1));
    expect(other.outcome).toEqual({ kind: 'coalesced', existingJobId: 'a' });
  });

  it('replace-oldest names the oldest that waits, and takes its place once that one is skipped', () => {
    const running = takeSlot(withQueued(['a', 'b', 'c'], limits()), wish('a'), at(0)).record;
    const asked = admission('d', { whenFull: 'replace-oldest' });
    const first = admit(running, asked, at(1));
    expect(first.outcome).toMatchObject({ kind: 'replace', oldest: { jobId: 'b' } });
    expect(first.record).toBe(running);
    const second = admit(running, { ...asked, replaced: 'b' }, at(2));
    expect(second.outcome).toEqual({ kind: 'accepted', replacedJobId: 'b' });
    expect(ids(second.record)).toEqual({ active: ['a'], queued: ['c', 'd'] });
  });

  it('replace-oldest never replaces one that runs: with none in the queue it rejects', () => {
    const none = limits(0);
    const running = takeSlot(withQueued(['a'], none), wish('a', { limits: none }), at(0)).record;
    const { outcome } = admit(running, admission('b', { limits: none, whenFull: 'replace-oldest' }), at(1));
    expect(outcome).toEqual({ kind: 'rejected', reason: 'active-limit' });
  });

  it('dropping jobs from the queue makes room; dropping others writes nothing', () => {
    const record = withQueued(['a', 'b', 'c']);
    const dropped = dropQueued(record, ['b', 'x'], at(1));
    expect(dropped.outcome).toEqual({ dropped: ['b'] });
    expect(ids(dropped.record).queued).toEqual(['a', 'c']);
    expect(dropQueued(record, ['x'], at(1)).record).toBe(record);
  });

  it('what waits for more than a minute is suspected to be a phantom', () => {
    const record = { ...empty(), queued: [queuedJob('old', 0), queuedJob('new', 30_000)] };
    expect(phantomSuspects(record, at(60_001)).map(({ jobId }) => jobId)).toEqual(['old']);
    expect(phantomSuspects(record, at(60_000))).toEqual([]);
  });
});

describe('a place', () => {
  it('goes to the head of the queue; another one that comes first starts the head instead', () => {
    const record = withQueued(['a', 'b']);
    const early = takeSlot(record, wish('b', { slotToken: 'x' }), at(5));
    expect(early.outcome).toMatchObject({
      kind: 'otherFirst',
      position: 0,
      slot: { jobId: 'a', slotToken: 'x', tries: 1 },
    });
    expect(ids(early.record)).toEqual({ active: ['a'], queued: ['b'] });
    const taken = takeSlot(record, wish('a'), at(5));
    expect(taken.outcome).toMatchObject({
      kind: 'taken',
      slot: { heartbeatAt: at(5).toISOString(), leaseExpiresAt: at(5 + LEASE_MS).toISOString() },
    });
  });

  it('is not there while others hold all of them: the job waits, and nothing is written', () => {
    const record = takeSlot(withQueued(['a', 'b', 'c']), wish('a'), at(0)).record;
    const waits = takeSlot(record, wish('c', { slotToken: 'x' }), at(1));
    expect(waits.outcome).toMatchObject({ kind: 'wait', position: 1, blocked: false, head: { jobId: 'b' } });
    expect(waits.record).toBe(record);
  });

  it('is free to a job that is not queued (retried, replayed, handed back), whatever waits', () => {
    const taken = takeSlot(withQueued(['a', 'b']), wish('retried'), at(0));
    expect(taken.outcome.kind).toBe('taken');
    expect(ids(taken.record)).toEqual({ active: ['retried'], queued: ['a', 'b'] });
  });

  it('of a live owner elsewhere is not taken, and not of a handler in this very process', () => {
    const record = takeSlot(withQueued(['a']), wish('a'), at(0)).record;
    const other = { slotToken: 'x', instanceId: 'two' };
    expect(takeSlot(record, wish('a', other), at(599)).outcome.kind).toBe('running');
    expect(takeSlot(record, wish('a', { slotToken: 'x', runningHere: true }), at(599)).outcome.kind).toBe('running');
  });

  it('of its own job is taken back when the owner is silent, or was this process: no takeover', () => {
    const record = takeSlot(withQueued(['a']), wish('a'), at(0)).record;
    for (const [changes, now] of [
      [{ instanceId: 'two' }, 600],
      [{ instanceId: 'two' }, 99_000],
      [{ instanceId: 'one' }, 1],
    ] as const) {
      const back = takeSlot(record, wish('a', { ...changes, slotToken: 'x' }), at(now));
      expect(back.outcome).toMatchObject({ kind: 'taken', slot: { slotToken: 'x', instanceId: changes.instanceId } });
      expect(back.record.staleTakeoverCount).toBe(0);
      expect(renew(back.record, { jobId: 'a', slotToken: 'token-a', leaseMs: 1 }, at(now)).outcome.kind).toBe('lost');
    }
  });

  it('of an owner that fell silent is taken back for its job by whoever comes by, while the lease holds', () => {
    const record = takeSlot(withQueued(['a', 'b', 'c']), wish('a'), at(0)).record;
    const visitor = wish('c', { instanceId: 'two', slotToken: 'x' });
    expect(takeSlot(record, visitor, at(599)).outcome.kind).toBe('wait');
    const back = takeSlot(record, visitor, at(600));
    expect(back.outcome).toMatchObject({ kind: 'otherFirst', slot: { jobId: 'a', instanceId: 'two', slotToken: 'x' } });
    expect(ids(back.record)).toEqual({ active: ['a'], queued: ['b', 'c'] });
    expect(back.record.staleTakeoverCount).toBe(0);
    // Its own renewals may be late: it knows best whether it lives.
    expect(takeSlot(record, wish('c'), at(600)).outcome.kind).toBe('wait');
  });

  it('is renewed by its token only', () => {
    const record = takeSlot(withQueued(['a']), wish('a'), at(0)).record;
    const renewed = renew(record, { jobId: 'a', slotToken: 'token-a', leaseMs: LEASE_MS }, at(500));
    expect(renewed.outcome).toMatchObject({
      kind: 'renewed',
      slot: { startedAt: at(0).toISOString(), leaseExpiresAt: at(1_700).toISOString() },
    });
    expect(renew(record, { jobId: 'a', slotToken: 'x', leaseMs: LEASE_MS }, at(500)).outcome.kind).toBe('lost');
  });

  it('of which the lease ran out is named to who wants it; after the takeover it is free, and the takeover counted', () => {
    const record = takeSlot(withQueued(['a', 'b']), wish('a'), at(0)).record;
    expect(takeSlot(record, wish('b'), at(LEASE_MS - 1)).outcome.kind).toBe('wait');
    const met = takeSlot(record, wish('b', { instanceId: 'two' }), at(LEASE_MS));
    expect(met.outcome).toMatchObject({ kind: 'expired', slot: { jobId: 'a' } });
    expect(expiredSlots(record, at(LEASE_MS)).map(({ jobId }) => jobId)).toEqual(['a']);
    const over = takeOver(record, { jobId: 'a', slotToken: 'token-a', stale: true }, at(LEASE_MS));
    expect(over.record.staleTakeoverCount).toBe(1);
    expect(takeSlot(over.record, wish('b'), at(LEASE_MS)).outcome.kind).toBe('taken');
    const again = takeOver(over.record, { jobId: 'a', slotToken: 'token-a', stale: true }, at(LEASE_MS));
    expect(again).toEqual({ record: over.record, outcome: { cleared: false } });
  });

  it('with stalePolicy block stays with its owner, which is said once', () => {
    const record = takeSlot(withQueued(['a', 'b']), wish('a'), at(0)).record;
    const block = wish('b', { stalePolicy: 'block' });
    const met = takeSlot(record, block, at(LEASE_MS));
    expect(met.outcome).toMatchObject({ kind: 'wait', blocked: true });
    expect(met.record.lastPolicy).toMatchObject({ reason: 'stale-blocked', jobId: 'a' });
    expect(takeSlot(met.record, block, at(LEASE_MS + 1)).record).toBe(met.record);
  });
});

describe('a release', () => {
  const held = takeSlot(withQueued(['a', 'b', 'c']), wish('a'), at(0)).record;
  const mine = { jobId: 'a', slotToken: 'token-a', limits: limits(100) };
  const promote = { instanceId: 'one', slotToken: 'next', leaseMs: LEASE_MS };

  it('passes the place on to the head of the queue in the same change', () => {
    const released = release(held, { ...mine, promote }, at(9));
    expect(released.outcome).toMatchObject({
      released: true,
      promoted: { jobId: 'b', slotToken: 'next', tries: 1 },
      headWaits: false,
    });
    expect(ids(released.record)).toEqual({ active: ['b'], queued: ['c'] });
    // Its answer may have been lost: asked again it answers the same.
    const again = release(released.record, { ...mine, promote }, at(9));
    expect(again.record).toBe(released.record);
    expect(again.outcome.promoted).toEqual(released.outcome.promoted);
  });

  it('without somebody to start the head only says that it waits', () => {
    const released = release(held, mine, at(9));
    expect(released.outcome).toEqual({ released: true, promoted: undefined, headWaits: true });
    const head = takeHead(released.record, { limits: limits(100), promote }, at(10));
    expect(head.outcome.promoted?.jobId).toBe('b');
  });

  it('by somebody who lost the place takes it from nobody', () => {
    const released = release(held, { ...mine, slotToken: 'lost' }, at(9));
    expect(released.outcome).toEqual({ released: false, promoted: undefined, headWaits: false });
    expect(released.record).toBe(held);
  });

  it('of work that was handed back puts its job first again', () => {
    const released = release(held, { ...mine, backToHead: queuedJob('a') }, at(9));
    expect(ids(released.record)).toEqual({ active: [], queued: ['a', 'b', 'c'] });
  });

  it('of a place whose job cannot be started yet puts it back', () => {
    const taken = takeHead(withQueued(['a', 'b']), { limits: limits(100), promote }, at(9)).record;
    const back = putBack(taken, { slotToken: 'next' }, at(9)).record;
    expect(ids(back)).toEqual({ active: [], queued: ['a', 'b'] });
    expect(back.queued).toEqual(withQueued(['a', 'b']).queued);
  });

  it('leaves what more places than are allowed now would need', () => {
    const two = limits(100, 2);
    const full = ['a', 'b'].reduce(
      (record, id) => takeSlot(record, wish(id, { limits: two }), at(0)).record,
      withQueued(['a', 'b', 'c'], two),
    );
    const released = release(full, { ...mine, promote }, at(1));
    expect(ids(released.record)).toEqual({ active: ['b'], queued: ['c'] });
  });
});

describe('a job that ended', () => {
  const facts = { instanceId: 'two', runningHere: false, liveMs: 600, limits: limits(100) };

  it('leaves the queue, and the place of a worker that was lost; what waits may be passed on to', () => {
    const record = takeSlot(withQueued(['a', 'b', 'c']), wish('a'), at(0)).record;
    expect(ids(leaveKey(record, { ...facts, jobId: 'c' }, at(1)).record)).toEqual({ active: ['a'], queued: ['b'] });
    const promote = { instanceId: 'two', slotToken: 'next', leaseMs: LEASE_MS };
    const left = leaveKey(record, { ...facts, jobId: 'a', promote }, at(600));
    expect(left.outcome).toMatchObject({ kind: 'left', promoted: { jobId: 'b' } });
  });

  it('keeps the place while its owner lives, who will release it', () => {
    const record = takeSlot(withQueued(['a']), wish('a'), at(0)).record;
    expect(leaveKey(record, { ...facts, jobId: 'a' }, at(599)).outcome.kind).toBe('running');
  });

  it('that the record does not know changes nothing', () => {
    const record = withQueued(['a']);
    expect(leaveKey(record, { ...facts, jobId: 'x' }, at(1)).record).toBe(record);
  });
});

it('only a record without jobs that was idle for long is pruned', () => {
  expect(isPrunable(empty(), at(1_000), 1_000)).toBe(true);
  expect(isPrunable(empty(), at(999), 1_000)).toBe(false);
  expect(isPrunable(withQueued(['a']), at(9_999), 1_000)).toBe(false);
});

it('the status of a key says stale by the lease, how old heartbeats are, and no token', () => {
  const record = takeSlot(withQueued(['a', 'b']), wish('a'), at(0)).record;
  const status = toKeyStatus(record, at(LEASE_MS));
  expect(status).toMatchObject({ queuedDepth: 1, heartbeatAgeMs: LEASE_MS, active: [{ jobId: 'a', stale: true }] });
  expect(JSON.stringify(status)).not.toContain('token');
  expect(toKeyStatus(record, at(LEASE_MS - 1)).active[0]?.stale).toBe(false);
});
