// The record of a key, and what all changes of it share. Each change is a pure function of the record, the request and
// the time, and may be applied again to a record that it has changed already. The SDK and the janitor write the record
// by compare-and-set.
import type { ActiveSlot, KeyRecord, LastPolicy, QueuedJob } from '@trellis/contracts';

/** The record after a change; the same object when there is nothing to write. */
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

/** The limits that the queue declares now; the next change writes them into the record. */
export interface KeyLimits {
  maxActive: number;
  maxQueuedPerKey: number;
}

/** The record of a key that is used for the first time. */
export const newKeyRecord = (identity: KeyIdentity, limits: KeyLimits, now: Date): KeyRecord => ({
  version: 1,
  ...identity,
  ...limits,
  active: [],
  queued: [],
  staleTakeoverCount: 0,
  updatedAt: now.toISOString(),
});

export const change = <Outcome>(
  record: KeyRecord,
  changes: Partial<KeyRecord>,
  now: Date,
  outcome: Outcome,
): Changed<Outcome> => ({ record: { ...record, ...changes, updatedAt: now.toISOString() }, outcome });

export const ageMs = (instant: string, now: Date): number => now.getTime() - Date.parse(instant);

export const isExpired = (slot: ActiveSlot, now: Date): boolean => Date.parse(slot.leaseExpiresAt) <= now.getTime();

export const policy = (outcome: string, reason: string, jobId: string, now: Date): LastPolicy => ({
  outcome,
  reason,
  jobId,
  at: now.toISOString(),
});

/** Expired leases. */
export const expiredSlots = (record: KeyRecord, now: Date): ActiveSlot[] =>
  record.active.filter((slot) => isExpired(slot, now));

/** Whether a record is empty and idle and may be removed, on the condition that it has not changed. */
export const isPrunable = (record: KeyRecord, now: Date, idleMs: number): boolean =>
  record.active.length === 0 && record.queued.length === 0 && ageMs(record.updatedAt, now) >= idleMs;

export const holds = (record: KeyRecord, jobId: string): boolean => record.active.some((slot) => slot.jobId === jobId);

export const without = (queued: QueuedJob[], jobId: string): QueuedJob[] =>
  queued.some((job) => job.jobId === jobId) ? queued.filter((job) => job.jobId !== jobId) : queued;
