// The lifecycle events that a worker publishes about a job that it runs. What they mean: @trellis/lifecycle.
import { instantNow, type LifecycleEvent } from '@trellis/contracts';
import type { Work } from '../delivery/work-message.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';

/** The fields of an event beyond the job's identity. */
export type EventFacts = Pick<LifecycleEvent, 'eventType' | 'state' | 'tries'> &
  Partial<
    Pick<
      LifecycleEvent,
      | 'previousState'
      | 'result'
      | 'error'
      | 'progress'
      | 'logs'
      | 'handedBack'
      | 'actor'
      | 'reason'
      | 'concurrency'
      | 'attemptTraceparent'
      | 'workerVersion'
    >
  >;

/** An event of `work`'s job, published by this worker now. */
export function attemptEvent(
  scope: Pick<WorkerScope, 'service' | 'jobType' | 'instanceId'>,
  work: Work,
  facts: EventFacts,
): LifecycleEvent {
  // Spread first: spreading into an object that already has fields takes twice as long.
  const event: LifecycleEvent = {
    ...facts,
    jobId: work.jobId,
    service: scope.service,
    jobType: scope.jobType,
    timestamp: instantNow(),
    context: work.event.context,
    instanceId: scope.instanceId,
  };
  if (work.workSequence !== undefined) event.workSequence = work.workSequence;
  return event;
}
