// A lease that ran out stands in the way: its job's fate is settled in the stream first, then its place is cleared
// (protocol: keyed concurrency, expired lease).
import { type ActiveSlot, jobFilter, type LifecycleEvent } from '@trellis/contracts';
import { expiredSlots, type KeyIdentity, putBack, takeOver } from '@trellis/lifecycle';
import type { KeyedQueue } from './keyed-queue.ts';
import { publishDecided } from './publish-decided.ts';
import type { WorkerScope } from './worker-scope.ts';

/**
 * Publishes `stale` for the job of `slot` if it is active still, then clears the place.
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
  scope.log.warn({ jobId, key, fate, instanceId: slot.instanceId }, 'a lease ran out; its place is free');
}

/** What became of the job: it ended as `stale` by this or somebody else's hand, never started, or went its way. */
async function supersede(
  scope: WorkerScope & { keyed: KeyedQueue },
  { service, jobType, key, keyHash }: KeyIdentity,
  slot: ActiveSlot,
): Promise<'stale' | 'never-started' | 'moved' | 'held'> {
  const { stream, instanceId, log } = scope;
  const filter = jobFilter(service, jobType, slot.jobId);
  for (;;) {
    const { job, lastSequence } = await stream.readJob(slot.jobId);
    if (job?.state === 'stale') return 'stale';
    if (job?.state === 'pending' && job.startedAt === undefined && slot.queuedAt !== undefined) return 'never-started';
    // It ended or waits for its next attempt: nobody is superseded, only the place was left behind.
    if (job?.state !== 'active') return 'moved';
    // Its place was taken back or renewed meanwhile.
    const current = await scope.keyed.read({ service, jobType, key, keyHash });
    const expired = current ? expiredSlots(current, new Date()) : [];
    if (!expired.some(({ slotToken }) => slotToken === slot.slotToken)) return 'held';
    const { heartbeatAt, leaseExpiresAt } = slot;
    const event: LifecycleEvent = {
      jobId: slot.jobId,
      service,
      jobType,
      eventType: 'stale',
      state: 'stale',
      previousState: 'active',
      timestamp: new Date().toISOString(),
      context: job.context,
      tries: job.tries,
      error: `the lease of ${slot.instanceId} ran out at ${leaseExpiresAt}; another job of the key took its place`,
      concurrency: { key, keyHash, instanceId: slot.instanceId, heartbeatAt, leaseExpiresAt },
      instanceId,
      actor: { kind: 'service', id: service },
      reason: 'lease ran out',
    };
    const expect = { lastSequence, filter };
    const published = await publishDecided(stream, event, { expect, signal: scope.halt, log });
    if (published.kind === 'stored') return 'stale';
    if (published.kind === 'refused') throw published.error;
  }
}
