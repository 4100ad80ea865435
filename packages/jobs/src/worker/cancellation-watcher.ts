// Finds out that running jobs were cancelled or ended by others. Messages seen on event subjects are hints only: what
// counts is what the stream holds (docs/protocol.md#headers-and-conditions).
import type { Subscription } from '@nats-io/transport-node';
import { sleep } from '@trellis/async';
import { decodeEvent, type EventType, eventSubject, type LifecycleEvent, type StoredMessage } from '@trellis/contracts';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { StopReason } from '../errors.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

/** Events that stop a handler; the first one only asks for it. */
const STOP_EVENTS = ['cancelRequested', 'cancelled', 'expired', 'dead', 'stale'] as const satisfies EventType[] &
  StopReason[];
type StopEvent = (typeof STOP_EVENTS)[number];

/** A hint may be ahead of the stream, or of the replica that answers: look again after these waits. */
const LOOK_AGAIN_MS = [0, 50, 250, 1_000, 3_000];

export interface CancellationWatcher {
  /** Looks at every running attempt now. Rejects when the servers do not answer. */
  recheck(): Promise<void>;
  /** Looks at one attempt that began after a hint for its job had come. */
  follow(delivery: Delivery): void;
  close(): void;
}

/** Watches the attempts of one queue. `held`: the work in hand at the time of asking. */
export function watchCancellations(
  scope: WorkerScope,
  held: () => Iterable<Delivery>,
  signal: AbortSignal,
): CancellationWatcher {
  const subscriptions: Subscription[] = STOP_EVENTS.map((event) =>
    scope.stream.nc.subscribe(eventSubject(scope.service, scope.jobType, '*', event), {
      callback: (error, message) => {
        if (error) return scope.log.warn({ error, event }, 'no hints about stopped jobs; they are still looked up');
        const jobId = message.subject.split('.')[4];
        for (const one of held()) {
          if (one.work.jobId !== jobId) continue;
          if (one.attempt) void follow(one, one.attempt, event);
          else one.hinted = true;
        }
      },
    }),
  );

  const follow = async (one: Delivery, attempt: RunningAttempt, event: StopEvent | undefined): Promise<void> => {
    for (const waitMs of LOOK_AGAIN_MS) {
      await sleep(waitMs, signal);
      if (signal.aborted || one.attempt !== attempt) return;
      try {
        const found = await lookForStops(scope, attempt);
        if (event === undefined ? found.size > 0 : found.has(event)) return;
      } catch (error) {
        jobLog(scope, one.work.event).warn({ error }, 'could not look whether a job was stopped');
      }
    }
  };

  return {
    recheck: async () => {
      for (const one of [...held()]) {
        if (one.attempt) await lookForStops(scope, one.attempt);
      }
    },
    follow: (one) => {
      if (one.attempt) void follow(one, one.attempt, undefined);
    },
    close: () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}

/** Tells the attempt what the stream holds against it. */
async function lookForStops(scope: WorkerScope, attempt: RunningAttempt): Promise<Set<StopEvent>> {
  const { stream, service, jobType } = scope;
  const messages = await stream.lastOfEvents(service, jobType, attempt.jobId, STOP_EVENTS);
  const stops = findStops(messages, attempt.afterSequence);
  for (const [event, body] of stops) {
    if (event === 'cancelRequested') attempt.request = body;
    attempt.stop(event, body.reason ?? body.error);
  }
  return new Set(stops.keys());
}

/** The stop events that were stored after `afterSequence`, the request to cancel first. */
function findStops(
  messages: ReadonlyMap<EventType, StoredMessage>,
  afterSequence: number,
): Map<StopEvent, LifecycleEvent> {
  const stops = new Map<StopEvent, LifecycleEvent>();
  for (const event of STOP_EVENTS) {
    const message = messages.get(event);
    if (message === undefined || message.sequence <= afterSequence) continue;
    const decoded = decodeEvent(message);
    if (decoded.kind === 'event') stops.set(event, decoded.stored.event);
  }
  return stops;
}
