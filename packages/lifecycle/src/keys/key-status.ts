// The record of a key as `Jobs.GetKey` shows it.
import type { KeyRecord, KeyStatus } from '@trellis/contracts';
import { ageMs, isExpired } from './key-record.ts';

/** Without tokens; `stale` says whether a lease has expired. */
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
