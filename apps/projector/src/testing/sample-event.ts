// Lifecycle events that are easy to write down.
import type { EventType, LifecycleEvent } from '@trellis/contracts';
import { TRANSITIONS } from '@trellis/lifecycle';

const CONTEXT = {
  requestId: '01M84FX2Z15C0MKZN60M6AFCZT',
  traceId: 'd28d50f013db7574971538a5ab8bcde9',
  traceparent: '00-d28d50f013db7574971538a5ab8bcde9-614491ca55fc8ce1-01',
};

let clock = Date.UTC(2026, 2, 1, 12);

/** An event with everything that is required, later than the one before. */
export function event(jobId: string, eventType: EventType, fields: Partial<LifecycleEvent> = {}): LifecycleEvent {
  const { to } = TRANSITIONS[eventType];
  clock += 1;
  return {
    jobId,
    service: 'orders-service',
    jobType: 'charge',
    eventType,
    state: to === 'same' ? 'active' : to,
    timestamp: new Date(clock).toISOString(),
    context: CONTEXT,
    tries: 0,
    ...(eventType === 'created' ? { payload: { order: jobId } } : {}),
    ...fields,
  };
}

export const subjectOf = ({ service, jobType, jobId, eventType }: LifecycleEvent): string =>
  `trellis.jobs.${service}.${jobType}.${jobId}.${eventType}`;
