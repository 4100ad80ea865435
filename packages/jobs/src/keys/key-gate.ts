// The key's part in a decision about a delivery: a lease is acquired before `started` and released after the end, and a job
// that another worker runs is left alone (docs/protocol.md#keys).
import { type KeyIdentity, liveSlot } from '@trellis/lifecycle';
import type { Decision } from '../attempt/decide-delivery.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { MaybeLater } from '../values/wire-value.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import {
  acquireLease,
  holdsLease,
  isKeyed,
  isSureOf,
  type KeyedScope,
  leaveKeyAfterEnd,
  releaseLease,
  untilSilentMs,
} from './key-lease.ts';

export type Passed =
  | { kind: 'go' }
  /** Give the delivery back for `ms` milliseconds: no attempt, no event. */
  | { kind: 'park'; ms: number };

export const GO: Passed = { kind: 'go' };

/** Without a request where the answer is known. @param runnable whether the payload is valid */
export function passKey(
  scope: WorkerScope,
  delivery: Delivery,
  decision: Decision,
  runnable: boolean,
): MaybeLater<Passed> {
  const { key, lease } = delivery;
  if (!isKeyed(scope) || key === undefined) return GO;
  // Most leases are passed on by the previous job.
  if (decision.kind === 'run' && runnable && lease && isSureOf(scope, lease)) return GO;
  return askKey(scope, delivery, key, decision, runnable);
}

async function askKey(
  scope: KeyedScope,
  delivery: Delivery,
  key: KeyIdentity,
  decision: Decision,
  runnable: boolean,
): Promise<Passed> {
  switch (decision.kind) {
    case 'run': {
      if (!runnable) return whenAlone();
      // Checked also right after it was acquired: the reply may have come late.
      while (!(delivery.lease && (await holdsLease(scope, delivery.lease)))) {
        const answer = await acquireLease(scope, delivery, key, decision.attempt);
        delivery.lease = answer.kind === 'taken' ? answer.lease : undefined;
        if (answer.kind === 'taken') continue;
        delivery.next = answer.otherFirst;
        return { kind: 'park', ms: answer.ms };
      }
      return GO;
    }
    case 'cancel':
    case 'exhausted':
      return whenAlone();
    case 'wait':
      await releaseLease(scope, delivery);
      return GO;
    case 'discard': {
      // A later run of the same job may wait for the key or hold it.
      if (decision.why !== 'ended' && decision.why !== 'gone') {
        await releaseLease(scope, delivery);
        return GO;
      }
      const left = await leaveKeyAfterEnd(scope, delivery, key);
      return left.kind === 'park' ? left : GO;
    }
  }

  async function whenAlone(): Promise<Passed> {
    const record = await scope.keyed.read(key);
    const { jobId } = delivery.work;
    const runningHere = scope.host?.holdsOtherDelivery(delivery) ?? false;
    const asker = { jobId, instanceId: scope.instanceId, runningHere, liveMs: scope.keyed.liveMs };
    const live = record && liveSlot(record, asker, new Date());
    return live && live.slotToken !== delivery.lease?.token
      ? { kind: 'park', ms: untilSilentMs(scope.keyed, live) }
      : GO;
  }
}

/** The job ended without a run: it leaves its key. */
export async function leaveAfterEnd(scope: WorkerScope, delivery: Delivery): Promise<void> {
  if (isKeyed(scope) && delivery.key !== undefined) await leaveKeyAfterEnd(scope, delivery, delivery.key);
}
