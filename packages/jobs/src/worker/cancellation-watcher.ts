// Notices that running jobs were cancelled or ended by others. Messages on event subjects are only hints: the stream decides.
import type { Subscription } from '@nats-io/transport-node';
import { sleep } from '@trellis/async';
import { decodeEvent, type EventType, eventSubject, type LifecycleEvent, type StoredMessage } from '@trellis/contracts';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { StopReason } from '../errors.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

/** Events that stop a handler; the first one only requests it. */
const STOP_EVENTS = ['cancelRequested', 'cancelled', 'expired', 'dead', 'stale'] as const satisfies EventType[] &
  StopReason[];
type StopEvent = (typeof STOP_EVENTS)[number];

/** A hint may be ahead of the stream, or of the replica that answers: check again after these milliseconds. */
const LOOK_AGAIN_MS = [0, 50, 250, 1_000, 3_000];

export interface CancellationWatcher {
  /** Checks every running attempt now. Rejects when the servers do not answer. */
  recheck(): Promise<void>;
  /** Checks one attempt that started after a hint for its job had come. */
  follow(delivery: Delivery): void;
  close(): void;
}

/** Watches the attempts of one queue. @param held the deliveries that the worker holds now */
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

/** Stops the attempt if the stream says so. */
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
