import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { recordTelemetry } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

const recorded = recordTelemetry();
let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
beforeEach(() => recorded.reset());

const serverSpans = () => recorded.spans().filter(({ kind }) => kind === SpanKind.SERVER);

test('a request is a server span that continues the trace of its caller', async () => {
  const reply = await gateway.request('Jobs.Health', '', { traceparent, 'request-id': 'r-1' });
  const [span, ...others] = serverSpans();
  expect(others).toEqual([]);
  expect(span?.name).toBe('trellis.jobs/Health');
  expect(span?.spanContext().traceId).toBe(TRACE_ID);
  expect(span?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
  expect(span?.attributes).toEqual({
    'rpc.system': 'nats',
    'rpc.service': 'trellis.jobs',
    'rpc.method': 'Health',
    'trellis.request.id': 'r-1',
  });
  expect(reply.header('traceparent')).toContain(span?.spanContext().spanId);
});

test('a request without a trace begins one, which the reply and the fault name', async () => {
  const reply = await gateway.request('Jobs.Get', { id: 'unknown' });
  const [span] = serverSpans();
  expect(span?.parentSpanContext).toBeUndefined();
  expect(reply.body.traceId).toBe(span?.spanContext().traceId);
  expect(reply.header('traceparent')).toContain(span?.spanContext().traceId);
});

test('what the caller did wrong has a type and is no failure of the gateway; what the gateway cannot do is one', async () => {
  await gateway.request('Jobs.Get', { id: 'unknown' });
  await gateway.request('Jobs.List', { limit: 0 });
  expect(serverSpans().map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['not-found', SpanStatusCode.UNSET],
    ['invalid-request', SpanStatusCode.UNSET],
  ]);
  await using broken = await startGateway({ readerUrl: 'postgres://127.0.0.1:1/none' });
  recorded.reset();
  await broken.request('Jobs.List', { limit: 1 });
  expect(serverSpans().map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['unavailable', SpanStatusCode.ERROR],
  ]);
});

test('a span names the job that it touched and links to its creation, also when it only looked', async () => {
  const job = await gateway.jobIn('dead');
  await gateway.projected();
  await gateway.request('Jobs.Get', { id: job.id });
  await gateway.request('Jobs.ReplayDLQ', { id: job.id });
  const stored = await gateway.stream.readJob(job.id);
  const creation = stored.job?.context.traceparent ?? '';
  for (const span of serverSpans()) {
    expect(span.attributes).toMatchObject({
      'trellis.job.id': job.id,
      'trellis.job.service': job.service,
      'trellis.job.type': job.type,
    });
    expect(span.links).toMatchObject([{ attributes: { 'trellis.link': 'job' } }]);
    expect(creation).toContain(span.links[0]?.context.spanId);
  }
  expect(serverSpans().map(({ attributes }) => attributes['trellis.job.state'])).toEqual(['dead', 'pending']);
});

test('requests are counted by method and code, timed, and none is in flight afterwards', async () => {
  const count = async (code: string) =>
    Number(await recorded.metric('trellis.rpc.requests', { method: 'Jobs.Cancel', code }));
  const [before, refused] = [await count('ok'), await count('state-conflict')];
  const job = await gateway.jobIn('pending');
  await gateway.request('Jobs.Cancel', { id: job.id });
  await gateway.request('Jobs.Cancel', { id: job.id });
  expect(await count('ok')).toBe(before + 1);
  expect(await count('state-conflict')).toBe(refused + 1);
  expect(await count('unavailable')).toBe(0);
  expect(await recorded.metric('trellis.rpc.duration', { method: 'Jobs.Cancel' })).toMatchObject({
    count: before + refused + 2,
  });
  expect(await recorded.metric('trellis.rpc.in_flight', { method: 'Jobs.Cancel' })).toBe(0);
});
