import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { contextOf, traceparentOf, withSpan } from '@trellis/instrumentation';
import { recordTelemetry, startTestNats } from '@trellis/test-support';
import { afterAll, afterEach, expect, test } from 'vitest';
import { tracedConnection } from './traced-connection.ts';

const recorded = recordTelemetry();
const server = await startTestNats();
const nc = await server.connect();
afterEach(() => recorded.reset());
afterAll(() => server.stop());

const traced = tracedConnection(nc);
const spanNamed = (name: string) => recorded.spans().find((span) => span.name === name);

test('a publish within a span hands the context of a producer span below it to the receiver', async () => {
  const subscription = nc.subscribe('orders.*.paid', { max: 1 });
  await nc.flush();
  const given = headers();
  given.set('own', 'kept');
  await withSpan('test', 'handler', {}, () => traced.publish('orders.7.paid', 'body', { headers: given }));
  for await (const message of subscription) {
    const sent = spanNamed('publish orders.*.paid');
    expect(sent?.kind).toBe(SpanKind.PRODUCER);
    expect(sent?.parentSpanContext?.spanId).toBe(spanNamed('handler')?.spanContext().spanId);
    expect(sent?.attributes).toMatchObject({
      'messaging.system': 'nats',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders.7.paid',
    });
    expect(message.headers?.get('traceparent')).toBe(sent && traceparentOf(sent.spanContext()));
    expect(message.headers?.get('own')).toBe('kept');
    expect(given.has('traceparent')).toBe(false);
  }
});

test('a request is a client span that lasts until the answer, and an error when none comes', async () => {
  const subscription = nc.subscribe('prices', {
    max: 1,
    callback: (_error, message) => void message.respond(message.headers?.get('traceparent') ?? 'none'),
  });
  await nc.flush();
  const reply = await traced.request('prices', 'body', { timeout: 5_000 });
  const asked = spanNamed('request prices');
  expect(asked?.kind).toBe(SpanKind.CLIENT);
  expect(reply.string()).toBe(asked && traceparentOf(asked.spanContext()));
  await subscription.closed;
  recorded.reset();
  await expect(traced.request('prices')).rejects.toThrow();
  expect(spanNamed('request prices')?.status.code).toBe(SpanStatusCode.ERROR);
});

test('JetStream works over it: what is stored carries the trace, its own traffic opens no spans', async () => {
  const jsm = await jetstreamManager(traced);
  await jsm.streams.add({ name: 'S', subjects: ['stored.>'] });
  await jetstream(traced).publish('stored.here', 'body');
  const message = await jsm.streams.getMessage('S', { seq: 1 });
  expect(recorded.spans().map(({ name }) => name)).toEqual(['request stored.here']);
  const span = spanNamed('request stored.here');
  expect(message?.header?.get('traceparent')).toBe(span && traceparentOf(span.spanContext()));
});

test('where no span is active the given context is continued', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  tracedConnection(nc, contextOf(traceparent)).publish('later', 'body');
  expect(spanNamed('publish later')?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
});
