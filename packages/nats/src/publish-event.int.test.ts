import { type EventType, jobFilter, jobIdFilter, type LifecycleEvent } from '@trellis/contracts';
import { startTestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats } from './connect-nats.ts';
import { JobStream } from './job-stream.ts';
import { provision } from './provision.ts';
import { PublishError } from './publish-event.ts';

let nats: Awaited<ReturnType<typeof startTestNats>>;
let stream: JobStream;

beforeAll(async () => {
  nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  stream = await JobStream.open(nc);
});
afterAll(() => nats.stop());

let counter = 0;
const newId = () => `job-${++counter}`;
const event = (jobId: string, eventType: EventType, changes: Partial<LifecycleEvent> = {}): LifecycleEvent => ({
  jobId,
  service: 'orders-service',
  jobType: 'charge',
  eventType,
  state: 'pending',
  timestamp: '2026-01-31T09:30:00.000Z',
  context: {
    requestId: 'r1',
    traceId: 'a'.repeat(32),
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    tracestate: 'x=1',
  },
  tries: 0,
  payload: {},
  ...changes,
});
const filterOf = (jobId: string) => jobFilter('orders-service', 'charge', jobId);

it('of a hundred concurrent events with one condition exactly one is stored', async () => {
  const id = newId();
  const created = await stream.publish(event(id, 'created'), { expect: { lastSequence: 0, filter: jobIdFilter(id) } });
  if (created.kind !== 'stored') throw new Error('not stored');
  const expect_ = { lastSequence: created.sequence, filter: filterOf(id) };
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, () => stream.publish(event(id, 'started'), { expect: expect_ })),
  );
  const stored = outcomes.filter((outcome) => outcome.kind === 'stored');
  expect(stored).toHaveLength(1);
  expect((await stream.readJob(id)).events).toHaveLength(2);
  for (const outcome of outcomes) {
    if (outcome.kind === 'conflict')
      expect(outcome.lastSequence).toBe(stored[0]?.kind === 'stored' ? stored[0].sequence : -1);
  }
});

it('a retry that meets its own event counts as stored', async () => {
  const id = newId();
  const options = {
    messageId: `orders-service.charge.${id}:created`,
    expect: { lastSequence: 0, filter: jobIdFilter(id) },
  };
  const first = await stream.publish(event(id, 'created'), options);
  expect(await stream.publish(event(id, 'created'), options)).toMatchObject({
    ...first,
    found: { sequence: (first as { sequence: number }).sequence },
  });
});

it('an id whose message was purged inside the duplicate window is stored again, not lost', async () => {
  const id = newId();
  const options = {
    messageId: `orders-service.charge.${id}:created`,
    expect: { lastSequence: 0, filter: jobIdFilter(id) },
  };
  const first = await stream.publish(event(id, 'created'), options);
  await stream.jsm.streams.purge('JOBS', { filter: filterOf(id) });
  const second = await stream.publish(event(id, 'created'), options);
  expect(second.kind).toBe('stored');
  expect(second).not.toEqual(first);
  expect((await stream.readJob(id)).job?.state).toBe('pending');
});

it('an event carries its context in the headers', async () => {
  const id = newId();
  await stream.publish(event(id, 'created'));
  const stored = await stream.lastOfJob('orders-service', 'charge', id);
  expect(stored?.headers?.get('request-id')).toBe('r1');
  expect(stored?.headers?.get('traceparent')).toBe(event(id, 'created').context.traceparent);
  expect(stored?.headers?.get('tracestate')).toBe('x=1');
  expect(stored?.headers?.get('Nats-Msg-Id')).toBeTruthy();
});

it('a publish that the server refuses for good fails at once and says which subject', async () => {
  const id = newId();
  const large = event(id, 'created', { payload: 'x'.repeat(2_000_000) });
  await expect(stream.publish(large)).rejects.toThrow(PublishError);
  await expect(stream.publish(large)).rejects.toThrow(id);
});

it('a publish goes through once, however often the server dies meanwhile', async () => {
  await using other = await startTestNats();
  const nc = await connectNats({ url: other.url, name: 'test' });
  await provision(nc);
  const target = await JobStream.open(nc);
  const ids = Array.from({ length: 200 }, newId);
  const publish = (id: string) =>
    target.publish(event(id, 'created'), { expect: { lastSequence: 0, filter: jobIdFilter(id) } });
  const inFlight = ids.slice(0, 150).map(publish);
  await other.kill();
  const whileDown = ids.slice(150).map(publish);
  await other.restart();
  const outcomes = await Promise.all([...inFlight, ...whileDown]);
  expect(outcomes.every((outcome) => outcome.kind === 'stored')).toBe(true);
  expect((await target.info()).messages).toBe(ids.length);
  await nc.close();
});

it('the look finds the last message of each event, however late a log line came', async () => {
  const id = newId();
  for (const type of ['created', 'started', 'cancelled', 'logged'] as const) await stream.publish(event(id, type));
  const look = await stream.lastOfEvents('orders-service', 'charge', id, ['created', 'started', 'cancelled', 'dead']);
  expect([...look.keys()].sort()).toEqual(['cancelled', 'created', 'started']);
});
