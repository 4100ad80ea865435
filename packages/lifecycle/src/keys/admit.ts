// Admission: whether a new job of a key is accepted, and which jobs leave its waiting queue without having run.
import type { KeyRecord, QueuedJob, WhenFull } from '@trellis/contracts';
import { ageMs, type Changed, change, holds, type KeyLimits, policy } from './key-record.ts';

/** A queued entry of this age without a `created` event is a phantom: its creator died between admission and publish. */
export const PHANTOM_AFTER_MS = 60_000;

// --- Admission

export interface Admission {
  job: QueuedJob;
  /** `strict` rejects like `reject`. */
  whenFull: WhenFull | 'strict';
  limits: KeyLimits;
  /** A queued job whose `skipped` event is stored: it leaves the queue in this change. */
  replaced?: string | undefined;
}

export type RejectReason = 'active-limit' | 'queue-depth';

export type Admitted =
  | { kind: 'accepted'; replacedJobId: string | undefined }
  /** The job already waits or runs. */
  | { kind: 'already' }
  | { kind: 'rejected'; reason: RejectReason }
  | { kind: 'coalesced'; existingJobId: string }
  /** Publish `skipped` for this job first, then call again with `replaced`. */
  | { kind: 'replace'; oldest: QueuedJob };

/** Decides whether a new job of the key is accepted. */
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

/** Removes jobs from the queue: phantoms, and jobs that ended before they ran. */
export function dropQueued(record: KeyRecord, jobIds: Iterable<string>, now: Date): Changed<{ dropped: string[] }> {
  const ids = new Set(jobIds);
  const dropped = record.queued.flatMap(({ jobId }) => (ids.has(jobId) ? [jobId] : []));
  if (dropped.length === 0) return { record, outcome: { dropped } };
  return change(record, { queued: record.queued.filter(({ jobId }) => !ids.has(jobId)) }, now, { dropped });
}

/** Queued jobs that are phantoms if the stream has no `created` event for them. */
export const phantomSuspects = (record: KeyRecord, now: Date, afterMs = PHANTOM_AFTER_MS): QueuedJob[] =>
  record.queued.filter(({ createdAt }) => ageMs(createdAt, now) > afterMs);
