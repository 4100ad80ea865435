// What a worker does with a delivery: run it, discard it, wait, or end the job. Pure; job-snapshot.ts reads the stream.
import type { EventType, JobState, LifecycleEvent } from '@trellis/contracts';
import { ENDING_EVENTS, retryDelayMs } from '@trellis/lifecycle';
import type { Origin } from '../delivery/work-message.ts';

/** The last message of one event of the job. */
export interface LastEvent {
  sequence: number;
  event: LifecycleEvent;
}

/** What the stream holds of a job. */
export interface JobSnapshot {
  /** Sequence of the job's last message, read first: a later change fails a condition on it. */
  lastSequence: number;
  last: ReadonlyMap<EventType, LastEvent>;
  /** Sequence of the job's first `created`; undefined when the stream no longer holds it. */
  firstCreated: number | undefined;
  /** Attempts since the origin, including a running one and one that was handed back. */
  tries: number;
}

export type Decision =
  /** Publish `started` on the condition that `expected` is still the job's last sequence. */
  | { kind: 'run'; attempt: number; previousState: JobState; expected: number }
  /** There is nothing to run for this message any more. */
  | { kind: 'discard'; why: 'ended' | 'superseded' | 'already-created' | 'gone'; by: EventType | undefined }
  /** Cancellation was requested before it ran (again): publish `cancelled`. */
  | { kind: 'cancel'; request: LifecycleEvent; tries: number; previousState: JobState; expected: number }
  /** No attempt is left: publish `dead` or `failed`. */
  | { kind: 'exhausted'; tries: number; error: string; previousState: JobState; expected: number }
  /** Give the delivery back for `ms` milliseconds. */
  | { kind: 'wait'; why: 'running-elsewhere' | 'backoff'; ms: number };

export interface DeliveryFacts {
  origin: Origin;
  /** From 1. */
  deliveryCount: number;
  /** The job's last sequence in the earlier snapshot, when a publish on that condition was refused. */
  refusedAt?: number | undefined;
  maxTries: number;
  ackWaitMs: number;
  backoffMs: readonly number[];
  /** Milliseconds since the epoch. */
  now: number;
}

/** The decision without a snapshot: a first delivery runs if nothing has happened to the job since its origin. */
export const firstRun = (origin: Origin): Decision => ({
  kind: 'run',
  attempt: 1,
  previousState: 'pending',
  expected: origin.sequence,
});

/**
 * What to do with a delivery, given a snapshot of its job. Events before the origin do not count.
 * @param look undefined when the stream holds nothing of the job
 */
export function decideDelivery(look: JobSnapshot | undefined, delivery: DeliveryFacts): Decision {
  const { origin, deliveryCount, maxTries } = delivery;
  if (look === undefined) return { kind: 'discard', why: 'gone', by: undefined };
  const { lastSequence: expected, tries } = look;
  const since = (event: EventType): LastEvent | undefined => {
    const seen = look.last.get(event);
    return seen !== undefined && seen.sequence > origin.sequence ? seen : undefined;
  };

  // First: the ending event may be that of the run before the `retried`.
  if (since('retried')) return { kind: 'discard', why: 'superseded', by: 'retried' };
  const ending = ENDING_EVENTS.find((event) => since(event));
  if (ending) return { kind: 'discard', why: 'ended', by: ending };
  if (origin.event === 'created' && look.firstCreated !== undefined && look.firstCreated !== origin.sequence) {
    return { kind: 'discard', why: 'already-created', by: 'created' };
  }

  const started = since('started');
  const retry = since('retry');
  const gaveUp = retry !== undefined && retry.sequence > (started?.sequence ?? 0) ? retry : undefined;
  const previousState: JobState = gaveUp ? 'retry' : started ? 'active' : 'pending';

  const request = since('cancelRequested');
  if (request) return { kind: 'cancel', request: request.event, tries, previousState, expected };
  // A first delivery finds no start, and no start appears between two snapshots, unless another worker was quicker.
  const unexpected = deliveryCount === 1 || (started?.sequence ?? 0) > (delivery.refusedAt ?? Number.POSITIVE_INFINITY);
  if (started && !gaveUp && unexpected) return { kind: 'wait', why: 'running-elsewhere', ms: delivery.ackWaitMs };

  const used = gaveUp?.event.handedBack ? tries - 1 : tries;
  if (started && used >= maxTries) {
    const error = gaveUp ? (gaveUp.event.error ?? 'no attempt is left') : 'worker lost in the last attempt';
    return { kind: 'exhausted', tries, error, previousState, expected };
  }
  if (gaveUp && !gaveUp.event.handedBack) {
    // The delayed nak may have been lost, or JOBS_WORK recreated: the declared wait applies all the same.
    const wait = retryDelayMs(delivery.backoffMs, tries);
    const left = Math.min(wait, Date.parse(gaveUp.event.timestamp) + wait - delivery.now);
    if (left > 0) return { kind: 'wait', why: 'backoff', ms: left };
  }
  return { kind: 'run', attempt: Math.max(used, 0) + 1, previousState, expected };
}
