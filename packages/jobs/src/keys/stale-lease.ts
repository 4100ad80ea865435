// A expired lease stands in the way: its job's fate is settled in the stream first, then its lease is cleared
// (docs/protocol.md#keys).
import { type ActiveSlot, jobFilter, type LifecycleEvent } from '@trellis/contracts';
import { expiredSlots, type FoldedJob, isEnded, type KeyIdentity, putBack, takeOver } from '@trellis/lifecycle';
import { publishUntilKnown } from '../attempt/publish-outcome.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import type { KeyedQueue } from './keyed-queue.ts';

/**
 * Settles in the stream what becomes of the job of `slot`, then clears the lease.
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
    // One that never started keeps its turn.
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
 * What became of the job: it ended as `stale` by this or somebody else's hand, never started, or went its way. Where its
 * lease is to be cleared the stream says so first: the start of a worker that was stopped after taking it, or cut off, is
 * refused from then on.
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
    // Nobody is superseded, only the lease was left behind.
    if (job === undefined || isEnded(job.state)) return 'moved';
    // Its lease was taken back or renewed meanwhile.
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

/** `stale` for a job that is active; for one that waits for a start only a line in its log. */
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
