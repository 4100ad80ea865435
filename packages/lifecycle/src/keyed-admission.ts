// Who may wait for a key and who may hold it: every change of a key's record as a pure function of the record, the wish
// and the time (protocol: keyed concurrency). Writing the record by compare-and-set is left to the SDK and the janitor;
// each function may be applied again to a record that it has changed already.
import type { ActiveSlot, JobContext, KeyRecord, KeyStatus, LastPolicy, QueuedJob, WhenFull } from '@trellis/contracts';

/** The record after a change; the very same object when nothing is to be written. */
export interface Changed<Outcome> {
  record: KeyRecord;
  outcome: Outcome;
}

export interface KeyIdentity {
  service: string;
  jobType: string;
  key: string;
  keyHash: string;
}

/** As the queue declares them now; written into the record with the next change. */
export interface KeyLimits {
  maxActive: number;
  maxQueuedPerKey: number;
}

/** The record of a key that nobody has used yet. */
export const newKeyRecord = (identity: KeyIdentity, limits: KeyLimits, now: Date): KeyRecord => ({
  version: 1,
  ...identity,
  ...limits,
  active: [],
  queued: [],
  staleTakeoverCount: 0,
  updatedAt: now.toISOString(),
});

/** An entry this old without a `created` in the stream is a phantom: its creator died between admission and publish. */
export const PHANTOM_AFTER_MS = 60_000;

const change = <Outcome>(
  record: KeyRecord,
  changes: Partial<KeyRecord>,
  now: Date,
  outcome: Outcome,
): Changed<Outcome> => ({ record: { ...record, ...changes, updatedAt: now.toISOString() }, outcome });

const ageMs = (instant: string, now: Date): number => now.getTime() - Date.parse(instant);
const isExpired = (slot: ActiveSlot, now: Date): boolean => Date.parse(slot.leaseExpiresAt) <= now.getTime();
const policy = (outcome: string, reason: string, jobId: string, now: Date): LastPolicy => ({
  outcome,
  reason,
  jobId,
  at: now.toISOString(),
});

// --- Admission

export interface Admission {
  job: QueuedJob;
  /** `strict` rejects like `reject`. */
  whenFull: WhenFull | 'strict';
  limits: KeyLimits;
  /** The job whose `skipped` is stored: it makes room. */
  replaced?: string | undefined;
}

export type RejectReason = 'active-limit' | 'queue-depth';
export type Admitted =
  | { kind: 'accepted'; replacedJobId: string | undefined }
  /** The job waits or runs already. */
  | { kind: 'already' }
  | { kind: 'rejected'; reason: RejectReason }
  | { kind: 'coalesced'; existingJobId: string }
  /** Publish `skipped` for this one first, then ask again with `replaced`. */
  | { kind: 'replace'; oldest: QueuedJob };

/** Whether a new job of the key is taken. */
export function admit(record: KeyRecord, { job, whenFull, limits, replaced }: Admission, now: Date): Changed<Admitted> {
  if (holds(record, job.jobId) || record.queued.some(({ jobId }) => jobId === job.jobId)) {
    return { record, outcome: { kind: 'already' } };
  }
  const queued = record.queued.filter(({ jobId }) => jobId !== replaced);
  const room = limits.maxQueuedPerKey + Math.max(0, limits.maxActive - record.active.length);
  if (queued.length < room) {
    const changes: Partial<KeyRecord> = { ...limits, queued: [...queued, job] };
    if (replaced !== undefined) changes.lastPolicy = policy('replaced', 'replaced', replaced, now);
    return change(record, changes, now, { kind: 'accepted', replacedJobId: replaced });
  }
  const reject = (reason: RejectReason): Changed<Admitted> =>
    change(record, { ...limits, queued, lastPolicy: policy('rejected', reason, job.jobId, now) }, now, {
      kind: 'rejected',
      reason,
    });
  const oldest = queued[0];
  if (whenFull === 'replace-oldest') {
    return oldest ? { record, outcome: { kind: 'replace', oldest } } : reject('active-limit');
  }
  const existing = queued.at(-1) ?? record.active.at(-1);
  if (whenFull === 'coalesce' && existing) {
    const existingJobId = existing.jobId;
    const lastPolicy = policy('coalesced', 'coalesced', existingJobId, now);
    return change(record, { ...limits, queued, lastPolicy }, now, { kind: 'coalesced', existingJobId });
  }
  return reject(limits.maxQueuedPerKey === 0 ? 'active-limit' : 'queue-depth');
}

/** Takes jobs out of the queue: phantoms, and jobs that ended before they ran. */
export function dropQueued(record: KeyRecord, jobIds: Iterable<string>, now: Date): Changed<{ dropped: string[] }> {
  const ids = new Set(jobIds);
  const dropped = record.queued.flatMap(({ jobId }) => (ids.has(jobId) ? [jobId] : []));
  if (dropped.length === 0) return { record, outcome: { dropped } };
  return change(record, { queued: record.queued.filter(({ jobId }) => !ids.has(jobId)) }, now, { dropped });
}

/** Queued jobs that are phantoms if the stream holds no `created` of theirs. */
export const phantomSuspects = (record: KeyRecord, now: Date, afterMs = PHANTOM_AFTER_MS): QueuedJob[] =>
  record.queued.filter(({ createdAt }) => ageMs(createdAt, now) > afterMs);

// --- Holding a place

/** Who takes a place: a worker instance, with a token that nobody had before. */
export interface Taker {
  instanceId: string;
  slotToken: string;
  leaseMs: number;
}

export interface SlotWish extends Taker, Asker {
  tries: number;
  context: JobContext;
  limits: KeyLimits;
  stalePolicy: 'fail-stale' | 'block';
}

export type SlotAnswer =
  | { kind: 'taken'; slot: ActiveSlot }
  /** Another job's turn: its place was given to the taker, who starts that one. */
  | { kind: 'otherFirst'; slot: ActiveSlot; position: number }
  /** The job has its place, and the owner lives. */
  | { kind: 'running'; slot: ActiveSlot }
  /** A lease in the way ran out: publish `stale` for it, then `takeOver`. */
  | { kind: 'expired'; slot: ActiveSlot }
  /** Not yet; `position` counts the queued jobs before it. */
  | { kind: 'wait'; position: number; blocked: boolean; head: QueuedJob | undefined };

/**
 * A place for a job that is to be started. Of the jobs that wait in the queue only the first may take one; a job that is
 * not queued was admitted before (retried, replayed, handed back) and takes any. A job takes its own old place back; if its owner
 * fell silent and the lease still holds, whoever comes by takes it back for it.
 */
export function takeSlot(record: KeyRecord, wish: SlotWish, now: Date): Changed<SlotAnswer> {
  const { limits, jobId } = wish;
  const own = record.active.find((slot) => slot.jobId === jobId);
  if (own) {
    const mine = own.slotToken === wish.slotToken;
    if (!mine && liveSlot(record, wish, now)) return { record, outcome: { kind: 'running', slot: own } };
    const slot = {
      ...newSlot(wish, wish, now),
      startedAt: mine ? own.startedAt : now.toISOString(),
      ...(own.queuedAt === undefined ? {} : { queuedAt: own.queuedAt }),
    };
    const active = record.active.map((one) => (one === own ? slot : one));
    return change(record, { ...limits, active, queued: without(record.queued, jobId) }, now, { kind: 'taken', slot });
  }
  const position = record.queued.findIndex((job) => job.jobId === jobId);
  if (record.active.length >= limits.maxActive) {
    const expired = record.active.find((slot) => isExpired(slot, now));
    if (expired && wish.stalePolicy === 'fail-stale') return { record, outcome: { kind: 'expired', slot: expired } };
    const silent = expired ? undefined : record.active.find((slot) => isSilent(slot, wish, now));
    if (silent) {
      const slot = newSlot(silent, wish, now);
      if (silent.queuedAt !== undefined) slot.queuedAt = silent.queuedAt;
      const active = record.active.map((one) => (one === silent ? slot : one));
      return change(record, { active }, now, { kind: 'otherFirst', slot, position: Math.max(position, 0) });
    }
    const head = record.queued[0];
    const outcome: SlotAnswer = { kind: 'wait', position: Math.max(position, 0), blocked: expired !== undefined, head };
    // Said once, not at every visit.
    const said = record.lastPolicy?.reason === 'stale-blocked' && record.lastPolicy.jobId === expired?.jobId;
    if (!expired || said) return { record, outcome };
    return change(record, { lastPolicy: policy('rejected', 'stale-blocked', expired.jobId, now) }, now, outcome);
  }
  const head = record.queued[0];
  const turn = position > 0 ? head : undefined;
  const slot: ActiveSlot = turn ? slotOfHead(turn, wish, now) : newSlot(wish, wish, now);
  if (position === 0 && head) slot.queuedAt = head.createdAt;
  const changes = { ...limits, active: [...record.active, slot], queued: without(record.queued, slot.jobId) };
  return change(
    record,
    changes,
    now,
    turn ? { kind: 'otherFirst', slot, position: position - 1 } : { kind: 'taken', slot },
  );
}

/** Extends a lease. `lost`: somebody else has the place, or nobody. */
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
  /** The next job's place is taken for this one in the same change. */
  promote?: Taker | undefined;
  /** The job was handed back and waits first in the queue again. */
  backToHead?: QueuedJob | undefined;
}

export interface Released {
  /** False: the place had been lost before. */
  released: boolean;
  /** The place that was taken for `promote`. */
  promoted: ActiveSlot | undefined;
  /** A place is free and the head of the queue may take it. */
  headWaits: boolean;
}

/** Gives a place back, and on to the next job in the queue when the releaser takes that one. */
export function release(record: KeyRecord, wish: Release, now: Date): Changed<Released> {
  const active = record.active.filter(({ jobId, slotToken }) => jobId !== wish.jobId || slotToken !== wish.slotToken);
  const released = active.length < record.active.length;
  const { backToHead } = wish;
  const returns =
    released && backToHead !== undefined && !record.queued.some(({ jobId }) => jobId === backToHead.jobId);
  const queued = returns ? [backToHead, ...record.queued] : record.queued;
  return passOn(record, { active, queued, changed: released }, wish, now, (promoted, headWaits) => ({
    released,
    promoted,
    headWaits,
  }));
}

/** Who asks about the place of a job. */
export interface Asker {
  jobId: string;
  instanceId: string;
  /** The job's handler runs in this very instance already. */
  runningHere: boolean;
  /** The owner of a slot whose heartbeat is younger lives. */
  liveMs: number;
}

/** The place of a job whose owner lives, somewhere else than where it is asked. */
export function liveSlot(record: KeyRecord, asker: Asker, now: Date): ActiveSlot | undefined {
  const own = record.active.find(({ jobId }) => jobId === asker.jobId);
  if (own === undefined || (own.instanceId === asker.instanceId && !asker.runningHere)) return undefined;
  return ageMs(own.heartbeatAt, now) < asker.liveMs ? own : undefined;
}

export type Left =
  /** The job's owner lives and will release the place itself. */
  { kind: 'running'; slot: ActiveSlot } | { kind: 'left'; promoted: ActiveSlot | undefined; headWaits: boolean };

/** A job whose execution has ended leaves the queue, and the place that a lost worker of its still holds. */
export function leaveKey(
  record: KeyRecord,
  wish: Omit<Release, 'slotToken' | 'backToHead'> & Asker,
  now: Date,
): Changed<Left> {
  const live = liveSlot(record, wish, now);
  if (live) return { record, outcome: { kind: 'running', slot: live } };
  const queued = without(record.queued, wish.jobId);
  const active = record.active.filter(({ jobId }) => jobId !== wish.jobId);
  const changed = active.length < record.active.length || queued.length < record.queued.length;
  return passOn(record, { active, queued, changed }, wish, now, (promoted, headWaits) => ({
    kind: 'left',
    promoted,
    headWaits,
  }));
}

/** Takes the place of the head of the queue for `promote`, if there is one and the place is free. */
export function takeHead(
  record: KeyRecord,
  wish: { limits: KeyLimits; promote: Taker },
  now: Date,
): Changed<{ promoted: ActiveSlot | undefined }> {
  const { active, queued } = record;
  return passOn(record, { active, queued, changed: false }, wish, now, (promoted) => ({ promoted }));
}

/** A place that was passed on to a job which cannot be started yet (its `created` is still on its way) is given back. */
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
 * Clears a place whose lease ran out, after the fate of its job was settled in the stream.
 * @param stale whether the job ended as `stale`, which counts as a takeover; else it had ended or moved by itself
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

/** Places whose lease ran out. */
export const expiredSlots = (record: KeyRecord, now: Date): ActiveSlot[] =>
  record.active.filter((slot) => isExpired(slot, now));

/** Whether a record says nothing any more and may be removed (on the condition that nobody changed it meanwhile). */
export const isPrunable = (record: KeyRecord, now: Date, idleMs: number): boolean =>
  record.active.length === 0 && record.queued.length === 0 && ageMs(record.updatedAt, now) >= idleMs;

/** The record as `Jobs.GetKey` shows it: no tokens, and `stale` said by the lease. */
export function toKeyStatus(record: KeyRecord, now: Date): KeyStatus {
  const active = record.active.map((slot) => ({
    jobId: slot.jobId,
    instanceId: slot.instanceId,
    startedAt: slot.startedAt,
    heartbeatAt: slot.heartbeatAt,
    heartbeatAgeMs: Math.max(0, ageMs(slot.heartbeatAt, now)),
    leaseExpiresAt: slot.leaseExpiresAt,
    stale: isExpired(slot, now),
  }));
  const status: KeyStatus = {
    service: record.service,
    type: record.jobType,
    key: record.key,
    keyHash: record.keyHash,
    active,
    queued: record.queued.map(({ jobId, createdAt }) => ({ jobId, createdAt })),
    queuedDepth: record.queued.length,
    staleTakeoverCount: record.staleTakeoverCount,
  };
  if (active.length > 0) status.heartbeatAgeMs = Math.max(...active.map(({ heartbeatAgeMs }) => heartbeatAgeMs));
  if (record.lastPolicy) status.latestPolicyReason = record.lastPolicy.reason;
  return status;
}

const isSilent = (slot: ActiveSlot, { instanceId, liveMs }: Asker, now: Date): boolean =>
  slot.instanceId !== instanceId && ageMs(slot.heartbeatAt, now) >= liveMs;

const holds = (record: KeyRecord, jobId: string): boolean => record.active.some((slot) => slot.jobId === jobId);

const without = (queued: QueuedJob[], jobId: string): QueuedJob[] =>
  queued.some((job) => job.jobId === jobId) ? queued.filter((job) => job.jobId !== jobId) : queued;

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

/** What a change leaves free goes to the head of the queue, if somebody is there to start it. */
function passOn<Outcome>(
  record: KeyRecord,
  left: { active: ActiveSlot[]; queued: QueuedJob[]; changed: boolean },
  { limits, promote }: { limits: KeyLimits; promote?: Taker | undefined },
  now: Date,
  outcome: (promoted: ActiveSlot | undefined, headWaits: boolean) => Outcome,
): Changed<Outcome> {
  const { active, queued, changed } = left;
  // The answer to this very change got lost: it holds.
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
