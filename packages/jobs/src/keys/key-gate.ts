// What the key says to a decision about work in hand: a place is taken before `started`, left when the job has ended,
// and nothing is done to a job that somebody else runs (protocol: keyed concurrency, running).
import { type KeyIdentity, liveSlot } from '@trellis/lifecycle';
import type { Decision } from '../attempt/decide-delivery.ts';
import type { HeldWork } from '../delivery/delivery.ts';
import type { MaybeLater } from '../values/wire-value.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import {
  holdsPlace,
  isKeyed,
  isSureOf,
  type KeyedScope,
  leavePlace,
  releasePlace,
  takePlace,
  untilSilentMs,
} from './key-lease.ts';

export type Passed =
  | { kind: 'go' }
  /** The work is to come again after `ms`: no attempt, no event. */
  | { kind: 'park'; ms: number };

export const GO: Passed = { kind: 'go' };

/** At once where nothing has to be asked. @param runnable whether the payload is one that a handler can be given */
export function passKey(scope: WorkerScope, held: HeldWork, decision: Decision, runnable: boolean): MaybeLater<Passed> {
  const { key, place } = held;
  if (!isKeyed(scope) || key === undefined) return GO;
  // Most places are passed on by the job before.
  if (decision.kind === 'run' && runnable && place && isSureOf(scope, place)) return GO;
  return askKey(scope, held, key, decision, runnable);
}

async function askKey(
  scope: KeyedScope,
  held: HeldWork,
  key: KeyIdentity,
  decision: Decision,
  runnable: boolean,
): Promise<Passed> {
  switch (decision.kind) {
    case 'run': {
      if (!runnable) return whenAlone();
      // Also right after it was taken: the answer may have come late.
      while (!(held.place && (await holdsPlace(scope, held.place)))) {
        const answer = await takePlace(scope, held, key, decision.attempt);
        held.place = answer.kind === 'taken' ? answer.place : undefined;
        if (answer.kind === 'taken') continue;
        held.next = answer.otherFirst;
        return { kind: 'park', ms: answer.ms };
      }
      return GO;
    }
    case 'cancel':
    case 'exhausted':
      return whenAlone();
    case 'wait':
      await releasePlace(scope, held);
      return GO;
    case 'ackUnrun': {
      // A later run of the same job may wait for the key or hold it.
      if (decision.why !== 'ended' && decision.why !== 'gone') {
        await releasePlace(scope, held);
        return GO;
      }
      const left = await leavePlace(scope, held, key);
      return left.kind === 'park' ? left : GO;
    }
  }

  async function whenAlone(): Promise<Passed> {
    const record = await scope.keyed.read(key);
    const { jobId } = held.work;
    const runningHere = scope.host?.runsAlready(held) ?? false;
    const asker = { jobId, instanceId: scope.instanceId, runningHere, liveMs: scope.keyed.liveMs };
    const live = record && liveSlot(record, asker, new Date());
    return live && live.slotToken !== held.place?.token ? { kind: 'park', ms: untilSilentMs(scope.keyed, live) } : GO;
  }
}

/** The job in hand was ended without a run: it leaves its key. */
export async function leaveAfterEnd(scope: WorkerScope, held: HeldWork): Promise<void> {
  if (isKeyed(scope) && held.key !== undefined) await leavePlace(scope, held, held.key);
}
