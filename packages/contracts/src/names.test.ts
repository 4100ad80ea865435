import { expect, it } from 'vitest';
import { eventSubject, parseEventSubject, ServiceName } from './names.ts';

it('a lifecycle subject is read back as it was built', () => {
  expect(parseEventSubject(eventSubject('orders-service', 'charge', 'J1', 'created'))).toEqual({
    service: 'orders-service',
    jobType: 'charge',
    jobId: 'J1',
    eventType: 'created',
  });
});

it.each([
  'trellis.jobs.workers.orders-service.charge.i1.heartbeat',
  'trellis.jobs.workers.a.b.created',
  'trellis.jobs.a.b.c',
  'trellis.work.a.b.c.d',
  'trellis.jobs.a.b c.J1.created',
  'trellis.jobs.a..J1.created',
])('%s is no lifecycle subject', (subject) => {
  expect(parseEventSubject(subject)).toBeUndefined();
});

it('no service may be named workers, and a name is one subject token', () => {
  expect(ServiceName.safeParse('workers').success).toBe(false);
  expect(ServiceName.safeParse('a.b').success).toBe(false);
  expect(ServiceName.safeParse('orders-service').success).toBe(true);
});
