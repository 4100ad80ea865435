import { headers } from '@nats-io/transport-node';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ATTR, Fault } from '@trellis/contracts';
import { traceparentOf } from '@trellis/instrumentation';
import { recordTelemetry, startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient, type JobsClient } from './client.ts';

const stack = new AsyncDisposableStack();
let nats: TestNats;
let client: JobsClient;
/** What the gateway was sent last. */
let sent: { traceparent: string | undefined; tracestate: string | undefined };

beforeAll(async () => {
  nats = stack.use(await startTestNats());
  client = stack.use(await createClient({ url: nats.url, timeoutMs: 2_000 }));
  const gateway = await nats.connect();
  gateway.subscribe('rpc.v1.Jobs.*', {
    callback: (_, message) => {
      const carried = (name: string) => message.headers?.get(name) || undefined;
      sent = { traceparent: carried('traceparent'), tracestate: carried('tracestate') };
      if (message.subject !== 'rpc.v1.Jobs.Get') {
        message.respond('{}');
        return;
      }
      const refused = headers();
      refused.set('status', 'error');
      refused.set('Nats-Service-Error-Code', '404');
      const body = { id: 'f', type: 'NotFoundError', message: 'no such job', traceId: 'e'.repeat(32) };
      message.respond(JSON.stringify(body), { headers: refused });
    },
  });
  await gateway.flush();
});
afterAll(() => stack.disposeAsync());

const GIVEN = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

it('without an SDK a call carries the trace that it was given, and none of its own', async () => {
  await client.rpc.jobs.health();
  expect(sent).toEqual({ traceparent: undefined, tracestate: undefined });
  await client.rpc.jobs.health({}, { traceparent: GIVEN, tracestate: 'vendor=1' });
  expect(sent).toEqual({ traceparent: GIVEN, tracestate: 'vendor=1' });
});

it('a refusal says the trace that the gateway answered in, an unanswered call the one that it was made in', async () => {
  const refused = await client.rpc.jobs.get({ id: 'j1' }).catch((error: unknown) => error);
  expect((refused as Fault).details.traceId).toBe('e'.repeat(32));
  await using nobody = await nats.connect();
  await using elsewhere = await createClient({ connection: nobody });
  const unanswered = elsewhere.rpc.jobs
    .health({}, { timeoutMs: 1, traceparent: GIVEN })
    .catch((error: unknown) => error);
  await nobody.close();
  const fault = await unanswered;
  expect(fault).toBeInstanceOf(Fault);
  expect((fault as Fault).details.traceId).toBe('a'.repeat(32));
});

it('with an SDK a call is a CLIENT span below the active one, and the gateway continues it', async () => {
  await using recorded = recordTelemetry();
  const request = trace.getTracer('test').startSpan('support request');
  await context.with(trace.setSpan(context.active(), request), () => client.rpc.jobs.health());
  const [span] = recorded.spans();
  expect(span).toMatchObject({
    name: 'trellis.jobs/Health',
    kind: SpanKind.CLIENT,
    status: { code: SpanStatusCode.UNSET },
    attributes: { [ATTR.rpcSystem]: 'nats', [ATTR.rpcService]: 'trellis.jobs', [ATTR.rpcMethod]: 'Health' },
  });
  expect(span?.parentSpanContext?.spanId).toBe(request.spanContext().spanId);
  expect(sent.traceparent).toBe(span && traceparentOf(span.spanContext()));
});

it('a refused call is a failed span with the fault’s code, and a trace that is given wins', async () => {
  await using recorded = recordTelemetry();
  await expect(client.rpc.jobs.get({ id: 'j1' }, { traceparent: GIVEN })).rejects.toThrow('no such job');
  const [span] = recorded.spans();
  expect(span).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { [ATTR.errorType]: 'not-found', [ATTR.jobId]: 'j1' },
  });
  expect(span?.parentSpanContext?.spanId).toBe('b'.repeat(16));
  expect(sent.traceparent).toBe(GIVEN);
});
