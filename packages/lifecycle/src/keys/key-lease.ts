// Leases of a key: acquire, renew, release, pass on to the next job, clear after expiry. In the record a lease is a slot
// of `active`. Who may wait for a lease is admit.ts.
import type { ActiveSlot, JobContext, KeyRecord, QueuedJob } from '@trellis/contracts';
import { ageMs, type Changed, change, isExpired, type KeyLimits, policy, without } from './key-record.ts';

/** The worker instance that acquires a lease, with a token that was never used before. */
export interface Taker {
  instanceId: string;
  slotToken: string;
  leaseMs: number;
}

export interface SlotRequest extends Taker, Asker {
  tries: number;
  context: JobContext;
  limits: KeyLimits;
  stalePolicy: 'fail-stale' | 'block';
}

export type SlotAnswer =
  | { kind: 'taken'; slot: ActiveSlot }
  /** Another job is first: the caller got that job's lease and starts that job. */
  | { kind: 'otherFirst'; slot: ActiveSlot; position: number }
  /** The job holds its lease, and the owner lives. */
  | { kind: 'running'; slot: ActiveSlot }
  /** An expired lease is in the way: publish `stale` for its job, then `takeOver`. */
  | { kind: 'expired'; slot: ActiveSlot }
  /** No lease is free. `position`: the number of queued jobs before this one. */
  | { kind: 'wait'; position: number; blocked: boolean; head: QueuedJob | undefined };

/**
 * Acquires a lease for a job that is about to start. Of the queued jobs only the first may acquire one. A job that is not
 * queued was admitted earlier (retried, replayed, handed back) and may acquire any free lease. A job reacquires its own
 * old lease. When the owner of a lease is silent and the lease has not expired, any caller reacquires it for its job.
 */
export function takeSlot(record: KeyRecord, request: SlotRequest, now: Date): Changed<SlotAnswer> {
  const { limits, jobId } = request;
  const own = record.active.find((slot) => slot.jobId === jobId);
  if (own) {
    const mine = own.slotToken === request.slotToken;
    if (!mine && liveSlot(record, request, now)) return { record, outcome: { kind: 'running', slot: own } };
    const slot = {
      ...newSlot(request, request, now),
      startedAt: mine ? own.startedAt : now.toISOString(),
      ...(own.queuedAt === undefined ? {} : { queuedAt: own.queuedAt }),
    };
    const active = record.active.map((one) => (one === own ? slot : one));
    return change(record, { ...limits, active, queued: without(record.queued, jobId) }, now, { kind: 'taken', slot });
  }
  const position = record.queued.findIndex((job) => job.jobId === jobId);
  if (record.active.length >= limits.maxActive) {
    const expired = record.active.find((slot) => isExpired(slot, now));
    if (expired && request.stalePolicy === 'fail-stale') return { record, outcome: { kind: 'expired', slot: expired } };
    const silent = expired ? undefined : record.active.find((slot) => isSilent(slot, request, now));
    if (silent) {
      const slot = newSlot(silent, request, now);
      if (silent.queuedAt !== undefined) slot.queuedAt = silent.queuedAt;
      const active = record.active.map((one) => (one === silent ? slot : one));
      return change(record, { active }, now, { kind: 'otherFirst', slot, position: Math.max(position, 0) });
    }
    const head = record.queued[0];
    const outcome: SlotAnswer = { kind: 'wait', position: Math.max(position, 0), blocked: expired !== undefined, head };
    // Recorded once, not at every attempt.
    const said = record.lastPolicy?.reason === 'stale-blocked' && record.lastPolicy.jobId === expired?.jobId;
    if (!expired || said) return { record, outcome };
    return change(record, { lastPolicy: policy('rejected', 'stale-blocked', expired.jobId, now) }, now, outcome);
  }
  const head = record.queued[0];
  const turn = position > 0 ? head : undefined;
  const slot: ActiveSlot = turn ? slotOfHead(turn, request, now) : newSlot(request, request, now);
  if (position === 0 && head) slot.queuedAt = head.createdAt;
  const changes = { ...limits, active: [...record.active, slot], queued: without(record.queued, slot.jobId) };
  return change(
    record,
    changes,
    now,
    turn ? { kind: 'otherFirst', slot, position: position - 1 } : { kind: 'taken', slot },
  );
}

/** Renews a lease. `lost`: another worker holds it, or nobody does. */
export function renew(
  record: KeyRecord,
  { jobId, slotToken, leaseMs }: { jobId: string; slotToken: string; leaseMs: number },
  now: Date,
): Changed<{ kind: 'renewed'; slot: ActiveSlot } | { kind: 'lost' }> {
  const own = record.active.find((slot) => slot.jobId === jobId && slot.slotToken === slotToken);
  if (!own) return { record, outcome: { kind: 'lost' } };
  const slot: ActiveSlot = { ...own, ...lease(now, leaseMs) };
  const active = record.active.map((one) => (one === own ? slot : one));
  return change(record, { active }, now, { kind: 'renewed', slot });
}

export interface Release {
  jobId: string;
  slotToken: string;
  limits: KeyLimits;
  /** Acquires the lease of the next job for this owner in the same change. */
  promote?: Taker | undefined;
  /** The job was handed back: it goes to the head of the queue. */
  backToHead?: QueuedJob | undefined;
}

export interface Released {
  /** False: the lease had been lost before. */
  released: boolean;
  /** The lease that was acquired for `promote`. */
  promoted: ActiveSlot | undefined;
  /** A lease is free and the head of the queue may acquire it. */
  headWaits: boolean;
}

/** Releases a lease; with `promote`, passes it on to the next queued job. */
export function release(record: KeyRecord, request: Release, now: Date): Changed<Released> {
  const active = record.active.filter(
    ({ jobId, slotToken }) => jobId !== request.jobId || slotToken !== request.slotToken,
  );
  const released = active.length < record.active.length;
  const { backToHead } = request;
  const returns =
    released && backToHead !== undefined && !record.queued.some(({ jobId }) => jobId === backToHead.jobId);
  const queued = returns ? [backToHead, ...record.queued] : record.queued;
  return passOn(record, { active, queued, changed: released }, request, now, (promoted, headWaits) => ({
    released,
    promoted,
    headWaits,
  }));
}

/** Who asks about the lease of a job. */
export interface Asker {
  jobId: string;
  instanceId: string;
  /** The job's handler already runs in this instance. */
  runningHere: boolean;
  /** An owner lives while the heartbeat of its lease is younger than this, in milliseconds. */
  liveMs: number;
}

/** The lease of a job whose owner lives and is not the one who asks. */
export function liveSlot(record: KeyRecord, asker: Asker, now: Date): ActiveSlot | undefined {
  const own = record.active.find(({ jobId }) => jobId === asker.jobId);
  if (own === undefined || (own.instanceId === asker.instanceId && !asker.runningHere)) return undefined;
  return ageMs(own.heartbeatAt, now) < asker.liveMs ? own : undefined;
}

export type Left =
  /** The job's owner lives and will release the lease itself. */
  { kind: 'running'; slot: ActiveSlot } | { kind: 'left'; promoted: ActiveSlot | undefined; headWaits: boolean };

/** Removes a job whose execution has ended: from the queue, and from a lease that a lost worker still holds. */
export function leaveKey(
  record: KeyRecord,
  request: Omit<Release, 'slotToken' | 'backToHead'> & Asker,
  now: Date,
): Changed<Left> {
  const live = liveSlot(record, request, now);
  if (live) return { record, outcome: { kind: 'running', slot: live } };
  const queued = without(record.queued, request.jobId);
  const active = record.active.filter(({ jobId }) => jobId !== request.jobId);
  const changed = active.length < record.active.length || queued.length < record.queued.length;
  return passOn(record, { active, queued, changed }, request, now, (promoted, headWaits) => ({
    kind: 'left',
    promoted,
    headWaits,
  }));
}

/** Acquires a lease for the head of the queue, if there is one and a lease is free. */
export function takeHead(
  record: KeyRecord,
  request: { limits: KeyLimits; promote: Taker },
  now: Date,
): Changed<{ promoted: ActiveSlot | undefined }> {
  const { active, queued } = record;
  return passOn(record, { active, queued, changed: false }, request, now, (promoted) => ({ promoted }));
}

/** Returns a lease whose job cannot start yet, because its `created` is not stored yet; the job goes to the head of the queue. */
export function putBack(
  record: KeyRecord,
  { slotToken }: { slotToken: string },
  now: Date,
): Changed<{ kind: 'back' | 'lost' }> {
  const slot = record.active.find((one) => one.slotToken === slotToken);
  if (slot === undefined) return { record, outcome: { kind: 'lost' } };
  const { jobId, context } = slot;
  const job: QueuedJob = {
    jobId,
    createdAt: slot.queuedAt ?? now.toISOString(),
    requestId: context.requestId,
    context,
  };
  const active = record.active.filter((one) => one !== slot);
  return change(record, { active, queued: [job, ...without(record.queued, jobId)] }, now, { kind: 'back' });
}

/**
 * Clears an expired lease, after the stream says what became of its job.
 * @param stale whether the job ended as `stale`, which counts as a takeover; otherwise it had ended or moved by itself
 */
export function takeOver(
  record: KeyRecord,
  { jobId, slotToken, stale }: { jobId: string; slotToken: string; stale: boolean },
  now: Date,
): Changed<{ cleared: boolean }> {
  const active = record.active.filter((slot) => slot.jobId !== jobId || slot.slotToken !== slotToken);
  if (active.length === record.active.length) return { record, outcome: { cleared: false } };
  const counted: Partial<KeyRecord> = stale
    ? { staleTakeoverCount: record.staleTakeoverCount + 1, lastPolicy: policy('replaced', 'stale', jobId, now) }
    : {};
  return change(record, { active, ...counted }, now, { cleared: true });
}

const isSilent = (slot: ActiveSlot, { instanceId, liveMs }: Asker, now: Date): boolean =>
  slot.instanceId !== instanceId && ageMs(slot.heartbeatAt, now) >= liveMs;

function lease(now: Date, leaseMs: number): Pick<ActiveSlot, 'heartbeatAt' | 'leaseExpiresAt'> {
  return { heartbeatAt: now.toISOString(), leaseExpiresAt: new Date(now.getTime() + leaseMs).toISOString() };
}

const newSlot = (
  { jobId, tries, context }: Pick<ActiveSlot, 'jobId' | 'tries' | 'context'>,
  { instanceId, slotToken, leaseMs }: Taker,
  now: Date,
): ActiveSlot => ({
  jobId,
  slotToken,
  instanceId,
  startedAt: now.toISOString(),
  ...lease(now, leaseMs),
  tries,
  context,
});

const slotOfHead = ({ jobId, context, createdAt }: QueuedJob, taker: Taker, now: Date): ActiveSlot => ({
  ...newSlot({ jobId, tries: 1, context }, taker, now),
  queuedAt: createdAt,
});

/** Passes a free lease on to the head of the queue, if `promote` is there to start that job. */
function passOn<Outcome>(
  record: KeyRecord,
  left: { active: ActiveSlot[]; queued: QueuedJob[]; changed: boolean },
  { limits, promote }: { limits: KeyLimits; promote?: Taker | undefined },
  now: Date,
  outcome: (promoted: ActiveSlot | undefined, headWaits: boolean) => Outcome,
): Changed<Outcome> {
  const { active, queued, changed } = left;
  // This change is already stored; only its reply was lost.
  const before = promote && active.find(({ slotToken }) => slotToken === promote.slotToken);
  if (before) return { record, outcome: outcome(before, false) };
  const head = queued[0];
  const free = active.length < limits.maxActive && head !== undefined;
  if (free && promote) {
    const promoted = slotOfHead(head, promote, now);
    const changes = { ...limits, active: [...active, promoted], queued: queued.slice(1) };
    const more = changes.active.length < limits.maxActive && changes.queued.length > 0;
    return change(record, changes, now, outcome(promoted, more));
  }
  if (!changed) return { record, outcome: outcome(undefined, free) };
  return change(record, { ...limits, active, queued }, now, outcome(undefined, free));
}
