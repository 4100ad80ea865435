// What the key says to a decision about work in hand: a place is taken before `started`, left when the job has ended,
// and nothing is done to a job that somebody else runs (docs/protocol.md#keys).
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
  /** The work is to come again after `ms`: no attempt, no event. */
  | { kind: 'park'; ms: number };

export const GO: Passed = { kind: 'go' };

/** At once where nothing has to be asked. @param runnable whether the payload is one that a handler can be given */
export function passKey(
  scope: WorkerScope,
  delivery: Delivery,
  decision: Decision,
  runnable: boolean,
): MaybeLater<Passed> {
  const { key, lease } = delivery;
  if (!isKeyed(scope) || key === undefined) return GO;
  // Most places are passed on by the job before.
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
      // Also right after it was taken: the answer may have come late.
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

/** The job in hand was ended without a run: it leaves its key. */
export async function leaveAfterEnd(scope: WorkerScope, delivery: Delivery): Promise<void> {
  if (isKeyed(scope) && delivery.key !== undefined) await leaveKeyAfterEnd(scope, delivery, delivery.key);
}
