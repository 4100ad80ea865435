// For tests: jobs and events that are easy to write down.
import type { EventType, LifecycleEvent } from '@trellis/contracts';
import { ulid } from 'ulid';

export interface JobIdentity {
  id: string;
  service: string;
  type: string;
}

export const newJob = (service = 'orders-service', type = 'reserve-inventory'): JobIdentity => ({
  id: ulid(),
  service,
  type,
});

export function eventOf(job: JobIdentity, eventType: EventType, fields: Partial<LifecycleEvent> = {}): LifecycleEvent {
  return {
    jobId: job.id,
    service: job.service,
    jobType: job.type,
    eventType,
    state: eventType === 'created' ? 'pending' : 'active',
    timestamp: new Date().toISOString(),
    context: {
      requestId: `req-${job.id}`,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    tries: 0,
    ...(eventType === 'created' ? { payload: {} } : {}),
    ...fields,
  };
}
