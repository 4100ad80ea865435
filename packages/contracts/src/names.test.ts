import { expect, it } from 'vitest';
import { eventSubject, isJobId, isSubjectOf, JobId, parseEventSubject, ServiceName } from './names.ts';

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

it.each([
  ['trellis.jobs.a.b.J1.created', ['a', 'b', 'J1', 'created'], true],
  ['trellis.jobs.a.b.J1.created', ['a', 'b', 'J2', 'created'], false],
  ['trellis.jobs.a.b.J1.created', ['a', 'b', 'J1', 'started'], false],
  ['trellis.jobs.aXb.c.J1.created', ['a', 'b.c', 'J1', 'created'], false],
  ['trellis.jobs.a.bXc.J1.created', ['a.b', 'c', 'J1', 'created'], false],
  ['trellis.jobs.a.b.J1.created', ['a', 'b.J1', 'created', ''], false],
  ['trellis.work.a.b.J1.created', ['a', 'b', 'J1', 'created'], false],
  ['trellis.jobs.workers.b.J1.created', ['workers', 'b', 'J1', 'created'], false],
] as [string, [string, string, string, string], boolean][])(
  'the tokens of %s being %j: %s',
  (subject, tokens, expected) => {
    expect(isSubjectOf(subject, ...tokens)).toBe(expected);
  },
);

it('no service may be named workers, and a name is one subject token', () => {
  expect(ServiceName.safeParse('workers').success).toBe(false);
  expect(ServiceName.safeParse('a.b').success).toBe(false);
  expect(ServiceName.safeParse('orders-service').success).toBe(true);
});

it.each([
  ['j1', true],
  ['01M8GTHDKKZS17PM26DFWNTW29_a-b', true],
  ['x'.repeat(512), true],
  ['x'.repeat(513), false],
  ['', false],
  ['a.b', false],
  ['a b', false],
  ['j1\n', false],
  ['é', false],
  [null, false],
  [undefined, false],
  [7, false],
  [['j1'], false],
])('the id %j is one by the schema and without it, or by neither', (value, expected) => {
  expect(JobId.safeParse(value).success).toBe(expected);
  expect(isJobId(value)).toBe(expected);
});
