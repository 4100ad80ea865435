// Takes over an expired lease: first the stream says what becomes of its job, then the lease is cleared (docs/protocol.md#keys).
import { type ActiveSlot, jobFilter, type LifecycleEvent } from '@trellis/contracts';
import { expiredSlots, type FoldedJob, isEnded, type KeyIdentity, putBack, takeOver } from '@trellis/lifecycle';
import { publishUntilKnown } from '../attempt/publish-outcome.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import type { KeyedQueue } from './keyed-queue.ts';

/**
 * Publishes what becomes of the job of `slot`, then clears the lease.
 * @throws {PublishError} when the host halts before the outcome is known
 */
export async function clearExpired(
  scope: WorkerScope & { keyed: KeyedQueue },
  identity: KeyIdentity,
  slot: ActiveSlot,
): Promise<void> {
  const fate = await supersede(scope, identity, slot);
  if (fate === 'held') return;
  const { jobId, slotToken } = slot;
  await scope.keyed.change<unknown>(
    identity,
    // A job that never started goes back to the head of the queue.
    (record, now) =>
      fate === 'never-started'
        ? putBack(record, { slotToken }, now)
        : takeOver(record, { jobId, slotToken, stale: fate === 'stale' }, now),
    { signal: scope.halt },
  );
  const { key } = identity;
  scope.log.warn({ jobId, key, fate, instanceId: slot.instanceId }, 'an expired lease was cleared');
}

/**
 * What became of the job: `stale` (by this or another worker), never started, moved on by itself, or its lease is held again.
 * Before a lease is cleared the stream says so: the `started` of a worker that was paused or cut off after acquiring the lease
 * then fails its condition.
 */
async function supersede(
  scope: WorkerScope & { keyed: KeyedQueue },
  identity: KeyIdentity,
  slot: ActiveSlot,
): Promise<'stale' | 'never-started' | 'moved' | 'held'> {
  const { stream, log } = scope;
  const filter = jobFilter(identity.service, identity.jobType, slot.jobId);
  for (;;) {
    const { job, lastSequence } = await stream.readJob(slot.jobId);
    if (job?.state === 'stale') return 'stale';
    // The job has ended: only its lease was left behind.
    if (job === undefined || isEnded(job.state)) return 'moved';
    // Its lease was reacquired or renewed.
    const current = await scope.keyed.read(identity);
    const expired = current ? expiredSlots(current, new Date()) : [];
    if (!expired.some(({ slotToken }) => slotToken === slot.slotToken)) return 'held';
    const expect = { lastSequence, filter };
    const event = leaseExpiredEvent(scope, identity, slot, job);
    const published = await publishUntilKnown(stream, event, { expect, signal: scope.halt, log });
    if (published.kind === 'refused') throw published.error;
    if (published.kind === 'conflict') continue;
    if (event.eventType === 'stale') return 'stale';
    return job.state === 'pending' && job.startedAt === undefined && slot.queuedAt !== undefined
      ? 'never-started'
      : 'moved';
  }
}

/** `stale` for an active job; for a job that has not started only a line in its log. */
function leaseExpiredEvent(
  { instanceId }: WorkerScope,
  { service, jobType, key, keyHash }: KeyIdentity,
  slot: ActiveSlot,
  job: FoldedJob,
): LifecycleEvent {
  const { heartbeatAt, leaseExpiresAt } = slot;
  const timestamp = new Date().toISOString();
  const event = {
    jobId: slot.jobId,
    service,
    jobType,
    previousState: job.state,
    timestamp,
    context: job.context,
    tries: job.tries,
    concurrency: { key, keyHash, instanceId: slot.instanceId, heartbeatAt, leaseExpiresAt },
    instanceId,
    actor: { kind: 'service' as const, id: service },
    reason: 'lease ran out',
  };
  const ranOut = `the lease of ${slot.instanceId} ran out at ${leaseExpiresAt}`;
  if (job.state === 'active') {
    return {
      ...event,
      eventType: 'stale',
      state: 'stale',
      error: `${ranOut}; another job of the key took its place`,
    };
  }
  const message = `${ranOut} before it started the job; the job waits for its key again`;
  return { ...event, eventType: 'logged', state: job.state, logs: [{ timestamp, level: 'warn', message }] };
}
