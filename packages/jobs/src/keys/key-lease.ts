// Acquires, renews, releases and passes on leases of a key (docs/protocol.md#keys). When each happens is key-gate.ts; the
// order of the queue is decided by @trellis/lifecycle.

import { backoffMs } from '@trellis/async';
import { type ActiveSlot, type KeyRecord, newId } from '@trellis/contracts';
import {
  type KeyIdentity,
  leaveKey,
  putBack,
  release,
  renew,
  type SlotAnswer,
  type Taker,
  takeHead,
  takeSlot,
} from '@trellis/lifecycle';

import type { Delivery } from '../delivery/delivery.ts';
import type { MaybeLater } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import type { KeyedQueue } from './keyed-queue.ts';
import { type ChangeFacts, KeyLease } from './lease.ts';
import { clearExpired } from './stale-lease.ts';

/** A worker's scope in a queue that has keys. */
export type KeyedScope = WorkerScope & { keyed: KeyedQueue };

export const isKeyed = (scope: WorkerScope): scope is KeyedScope => scope.keyed !== undefined;

/** How long a delivery is parked: the head of the queue briefly, those behind it longer. Milliseconds. */
const PARK_STEP_MS = 2_000;
const SHORTEST_PARK_MS = 50;

export type LeaseAnswer =
  | { kind: 'taken'; lease: KeyLease }
  /** No lease now: park for `ms`. `otherFirst`: a lease that was acquired for the job that is first. */
  | { kind: 'park'; ms: number; otherFirst: KeyLease | undefined };

const nextOwner = ({ instanceId, keyed }: KeyedScope): Taker => ({
  instanceId,
  slotToken: newId(),
  leaseMs: keyed.concurrency.heartbeatTtlMs,
});

const requester = (scope: KeyedScope, delivery: Delivery) => ({
  jobId: delivery.work.jobId,
  instanceId: scope.instanceId,
  runningHere: scope.host?.holdsOtherDelivery(delivery) ?? false,
  liveMs: scope.keyed.liveMs,
});

/** Acquires a lease for the delivery, or says how long to park it. Settles expired leases that are in the way. */
export async function acquireLease(
  scope: KeyedScope,
  delivery: Delivery,
  identity: KeyIdentity,
  tries: number,
): Promise<LeaseAnswer> {
  const { keyed } = scope;
  const wish = { ...nextOwner(scope), ...requester(scope, delivery) };
  let takeovers = 0;
  for (;;) {
    const askedAt = performance.now();
    const answer: SlotAnswer = await keyed.change(
      identity,
      (record, now) => {
        takeovers = record.staleTakeoverCount;
        const { context } = delivery.work.event;
        const { stalePolicy } = keyed.concurrency;
        return takeSlot(record, { ...wish, tries, context, limits: keyed.limits, stalePolicy }, now);
      },
      { signal: scope.halt },
    );
    switch (answer.kind) {
      case 'taken':
        return { kind: 'taken', lease: new KeyLease(identity, answer.slot, { takeovers, askedAt }) };
      case 'otherFirst': {
        const otherFirst = new KeyLease(identity, answer.slot, { takeovers, askedAt });
        return { kind: 'park', ms: parkMs(keyed, answer.position), otherFirst };
      }
      case 'running':
        return { kind: 'park', ms: untilSilentMs(keyed, answer.slot), otherFirst: undefined };
      case 'wait':
        return { kind: 'park', ms: parkMs(keyed, answer.position), otherFirst: undefined };
      case 'expired':
        await clearExpired(scope, identity, answer.slot);
    }
  }
}

function parkMs({ longestParkMs }: KeyedQueue, position: number): number {
  const full = Math.min(longestParkMs, PARK_STEP_MS * (1 + position));
  // Spread out, so that a whole queue does not arrive at the same moment.
  return Math.max(SHORTEST_PARK_MS, Math.round(full * (0.8 + 0.2 * Math.random())));
}

/** Milliseconds until the owner of a lease counts as lost if it does not renew. */
export function untilSilentMs(keyed: KeyedQueue, slot: ActiveSlot): number {
  const left = Date.parse(slot.heartbeatAt) + keyed.liveMs - Date.now();
  return Math.max(SHORTEST_PARK_MS, Math.min(left + SHORTEST_PARK_MS, keyed.longestParkMs));
}

/** Whether this worker is sure to hold the lease: nobody takes over a lease whose heartbeat is younger than two intervals. */
export const isSureOf = ({ keyed }: KeyedScope, lease: KeyLease): boolean =>
  !lease.lost && lease.ageMs <= keyed.concurrency.heartbeatIntervalMs / 2;

/** Whether the lease is still this worker's; asks the record unless it is sure of it. */
export function holdsLease(scope: KeyedScope, lease: KeyLease): MaybeLater<boolean> {
  if (lease.lost || isSureOf(scope, lease)) return !lease.lost;
  return renewLease(scope, lease).then(() => !lease.lost);
}

async function renewLease(scope: KeyedScope, lease: KeyLease): Promise<void> {
  const { jobId, token: slotToken } = lease;
  const leaseMs = scope.keyed.concurrency.heartbeatTtlMs;
  const askedAt = performance.now();
  const answer = await scope.keyed.change(
    lease.identity,
    (record, now) => renew(record, { jobId, slotToken, leaseMs }, now),
    { signal: scope.halt },
  );
  if (answer.kind === 'renewed') lease.renewed(answer.slot, askedAt);
  else lease.lost = !lease.released;
}

/** Renews a lease until it is stopped; calls `onLost` once if the lease is lost. */
export function keepRenewing(scope: KeyedScope, lease: KeyLease, onLost: () => void): { stop(): void } {
  const { heartbeatIntervalMs } = scope.keyed.concurrency;
  let stopped = false;
  let faults = 0;
  const renewSoon = () => {
    const ms = faults === 0 ? heartbeatIntervalMs : backoffMs(faults, 100, heartbeatIntervalMs);
    return setTimeout(() => void renewNow(), ms);
  };
  const renewNow = async () => {
    if (stopped || lease.released) return;
    try {
      await renewLease(scope, lease);
      faults = 0;
    } catch (error) {
      faults++;
      scope.log.warn(
        { error, jobId: lease.jobId, key: lease.identity.key },
        'a lease could not be renewed; trying again',
      );
    }
    if (lease.lost) onLost();
    else if (!stopped) timer = renewSoon();
  };
  // Most leases are never renewed: a bare timer costs a tenth of one that waits for a signal, too.
  let timer = renewSoon();
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Releases the delivery's lease or passes it on: `delivery.next` is the lease that this worker starts next. */
export async function releaseLease(scope: KeyedScope, delivery: Delivery, handedBack = false): Promise<void> {
  const { lease } = delivery;
  if (lease === undefined) return;
  lease.released = true;
  const { event, jobId } = delivery.work;
  // Without a message nothing else would bring the job to another worker soon.
  const backToHead =
    handedBack && delivery.message === undefined
      ? { jobId, createdAt: event.timestamp, requestId: event.context.requestId, context: event.context }
      : undefined;
  const { limits } = scope.keyed;
  const takerOf = ownerAfter(scope, delivery, lease.identity);
  const { outcome, asked, comes } = await changed(scope, lease.identity, (record, now) => {
    const promote = takerOf(record);
    return release(record, { jobId, slotToken: lease.token, limits, promote, backToHead }, now);
  });
  delivery.lease = undefined;
  passOn(scope, delivery, lease.identity, { ...outcome, headWaits: outcome.headWaits && !comes }, asked);
}

/** The delivery's job has ended: it leaves the key. `park`: its owner lives and is about to release the lease itself. */
export async function leaveKeyAfterEnd(
  scope: KeyedScope,
  delivery: Delivery,
  identity: KeyIdentity,
): Promise<{ kind: 'left' } | { kind: 'park'; ms: number }> {
  if (delivery.lease) delivery.lease.released = true;
  const { limits } = scope.keyed;
  const takerOf = ownerAfter(scope, delivery, identity);
  const { outcome, asked, comes } = await changed(scope, identity, (record, now) => {
    const promote = takerOf(record);
    return leaveKey(record, { ...requester(scope, delivery), limits, promote }, now);
  });
  if (outcome.kind === 'running') return { kind: 'park', ms: untilSilentMs(scope.keyed, outcome.slot) };
  delivery.lease = undefined;
  passOn(scope, delivery, identity, { ...outcome, headWaits: outcome.headWaits && !comes }, asked);
  return { kind: 'left' };
}

/** Acquires a lease for the head of the queue, if one is free. */
export async function acquireHeadLease(scope: KeyedScope, identity: KeyIdentity): Promise<KeyLease | undefined> {
  const wish = { limits: scope.keyed.limits, promote: nextOwner(scope) };
  const { outcome, asked } = await changed(scope, identity, (record, now) => takeHead(record, wish, now));
  return outcome.promoted ? new KeyLease(identity, outcome.promoted, asked) : undefined;
}

/** Returns a lease whose job cannot start now; the job goes to the head of the queue. */
export async function returnLease(scope: KeyedScope, lease: KeyLease): Promise<void> {
  lease.released = true;
  const { outcome } = await changed(scope, lease.identity, (record, now) =>
    putBack(record, { slotToken: lease.token }, now),
  );
  if (outcome.kind === 'back') scope.log.debug({ jobId: lease.jobId, key: lease.identity.key }, 'a lease was returned');
}

/** The lease belongs to a phantom: passes it on to the next job of the queue. */
export async function dropLease(scope: KeyedScope, lease: KeyLease): Promise<KeyLease | undefined> {
  lease.released = true;
  const { jobId, token: slotToken, identity } = lease;
  const wish = { jobId, slotToken, limits: scope.keyed.limits, promote: nextOwner(scope) };
  const { outcome, asked } = await changed(scope, identity, (record, now) => release(record, wish, now));
  return outcome.promoted ? new KeyLease(identity, outcome.promoted, asked) : undefined;
}

async function changed<Outcome>(
  scope: KeyedScope,
  identity: KeyIdentity,
  decide: (record: KeyRecord, now: Date) => { record: KeyRecord; outcome: Outcome },
): Promise<{ outcome: Outcome; asked: ChangeFacts; comes: boolean }> {
  const askedAt = performance.now();
  let takeovers = 0;
  let comes = false;
  const outcome = await scope.keyed.change(
    identity,
    (record, now) => {
      takeovers = record.staleTakeoverCount;
      const changed = decide(record, now);
      const [head] = changed.record.queued;
      comes = head !== undefined && scope.host?.willArrive(identity.keyHash, head) === true;
      return changed;
    },
    { signal: scope.halt },
  );
  return { outcome, asked: { takeovers, askedAt }, comes };
}

/** The owner of the next lease: this worker, if it starts the head of the queue. */
function ownerAfter(
  scope: KeyedScope,
  delivery: Delivery,
  { keyHash }: KeyIdentity,
): (record: KeyRecord) => Taker | undefined {
  // Once decided, always the same: the reply to a change that acquired the lease may have been lost.
  let next: Taker | undefined;
  return (record) => {
    // The leaving job may still be in the queue itself.
    const head = record.queued.find(({ jobId }) => jobId !== delivery.work.jobId);
    if (next === undefined && head !== undefined && scope.host?.startsNext(delivery, keyHash, head))
      next = nextOwner(scope);
    return next;
  };
}

function passOn(
  scope: KeyedScope,
  delivery: Delivery,
  identity: KeyIdentity,
  { promoted, headWaits }: { promoted: ActiveSlot | undefined; headWaits: boolean },
  asked: ChangeFacts,
): void {
  if (promoted) {
    delivery.next = new KeyLease(identity, promoted, asked);
    jobLog(scope, delivery.work.event).debug({ next: promoted.jobId, key: identity.key }, 'the key is passed on');
  }
  if (headWaits) scope.keyed.hint(identity);
}
