// Reads the work of a lease that was passed on from the job's events: its work message is parked.

import { sleep } from '@trellis/async';
import { decodeEvent, eventSubject } from '@trellis/contracts';
import { PHANTOM_AFTER_MS } from '@trellis/lifecycle';
import { dropLease, type KeyedScope, returnLease } from '../keys/key-lease.ts';
import type { KeyLease } from '../keys/lease.ts';
import type { Delivery } from './delivery.ts';
import type { Work } from './work-message.ts';

type WorkOfLease =
  | { kind: 'work'; work: Work }
  /** Admitted; its `created` is not stored yet. */
  | { kind: 'not-yet' }
  /** A phantom, or nothing that can be read. */
  | { kind: 'gone' };

const LOOK_AGAIN_MS = [0, 30, 120];

/**
 * The delivery of a lease. The lease of a phantom is passed on to the next job. Undefined when there is nothing to start.
 * Never rejects: a lease that stays behind after an error is reacquired when its job's message arrives.
 * @param adopt undefined when this worker already runs a delivery of that work
 */
export async function deliveryOfLease(
  scope: KeyedScope,
  passedOn: KeyLease,
  adopt: (work: Work, lease: KeyLease) => Delivery | undefined,
): Promise<Delivery | undefined> {
  let lease: KeyLease | undefined = passedOn;
  try {
    while (lease !== undefined) {
      const found: WorkOfLease = await readWorkOfLease(scope, lease);
      if (found.kind === 'gone') {
        lease = await dropLease(scope, lease);
        continue;
      }
      const delivery = found.kind === 'work' ? adopt(found.work, lease) : undefined;
      if (delivery === undefined) await returnLease(scope, lease);
      return delivery;
    }
  } catch (error) {
    scope.counts.faults++;
    scope.log.error(
      { error, jobId: lease?.jobId },
      'a job that was passed on could not be started; its message is delivered again',
    );
  }
  return undefined;
}

/** What the job of `lease` is to do. @throws when the servers do not answer */
async function readWorkOfLease(scope: KeyedScope, lease: KeyLease): Promise<WorkOfLease> {
  const { service, jobType, stream, log } = scope;
  const { jobId } = lease;
  for (const waitMs of LOOK_AGAIN_MS) {
    await sleep(waitMs, scope.halt);
    const [created, retried] = await Promise.all([
      stream.nextOf(eventSubject(service, jobType, jobId, 'created'), 1),
      stream.lastOf(eventSubject(service, jobType, jobId, 'retried')),
    ]);
    const origin = retried ?? created;
    if (origin === undefined) continue;
    const decoded = decodeEvent(origin);
    if (decoded.kind === 'quarantined') {
      log.warn({ jobId, reason: decoded.quarantined.reason }, 'a queued job cannot be read');
      return { kind: 'gone' };
    }
    const { event, sequence } = decoded.stored;
    const from = { sequence, event: retried ? ('retried' as const) : ('created' as const) };
    return { kind: 'work', work: { key: `${jobId}:${sequence}`, jobId, origin: from, event, workSequence: undefined } };
  }
  const age = Date.now() - Date.parse(lease.queuedAt ?? new Date().toISOString());
  if (age <= PHANTOM_AFTER_MS) return { kind: 'not-yet' };
  log.warn({ jobId, key: lease.identity.key }, 'a queued job was never created: its entry is dropped');
  return { kind: 'gone' };
}
