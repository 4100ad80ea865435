// What is recorded of every RPC: a span that continues the caller's trace, how many there are, how long they take, what they
// are refused with.
import type { MsgHdrs } from '@nats-io/transport-node';
import { isSpanContextValid, type Span, SpanKind, trace } from '@opentelemetry/api';
import { ATTR, FAULTS, type FaultCode, type Job, LINK, RPC_SERVICE, RPC_SYSTEM } from '@trellis/contracts';
import { countMetric, extractHeaders, failSpan, linkTo, moveMetric, recordMetric } from '@trellis/runtime';

/** How a request ended. */
export type RpcOutcome = { code: 'ok' } | { code: FaultCode; error: unknown };

/** Lets the counters of the methods show from the start. */
export function showMethods(methods: readonly { name: string }[]): void {
  for (const { name: method } of methods) {
    for (const code of ['ok', ...Object.keys(FAULTS)]) countMetric('trellis.rpc.requests', { method, code }, 0);
    moveMetric('trellis.rpc.in_flight', { method }, 0);
  }
}

/**
 * Answers one request within its span, below that of the caller.
 * @param answer never rejects; gets the id of the trace, undefined when the caller has none and no spans are recorded
 */
export async function inServerSpan(
  { method, headers, requestId }: { method: string; headers: MsgHdrs | undefined; requestId: string },
  answer: (traceId: string | undefined) => Promise<RpcOutcome>,
): Promise<void> {
  const started = performance.now();
  const name = method.slice(method.indexOf('.') + 1);
  const attributes = {
    [ATTR.rpcSystem]: RPC_SYSTEM,
    [ATTR.rpcService]: RPC_SERVICE,
    [ATTR.rpcMethod]: name,
    [ATTR.requestId]: requestId,
  };
  const options = { kind: SpanKind.SERVER, attributes };
  const tracer = trace.getTracer('trellis.rpc-gateway');
  await tracer.startActiveSpan(`${RPC_SERVICE}/${name}`, options, extractHeaders(headers), async (span) => {
    moveMetric('trellis.rpc.in_flight', { method }, 1);
    const spanContext = span.spanContext();
    const outcome = await answer(isSpanContextValid(spanContext) ? spanContext.traceId : undefined);
    recordOutcome(span, outcome);
    span.end();
    moveMetric('trellis.rpc.in_flight', { method }, -1);
    countMetric('trellis.rpc.requests', { method, code: outcome.code });
    recordMetric('trellis.rpc.duration', { method }, (performance.now() - started) / 1_000);
  });
}

function recordOutcome(span: Span, outcome: RpcOutcome): void {
  if (outcome.code === 'ok') return;
  // What the caller did wrong is no failure of the gateway.
  if (FAULTS[outcome.code].status >= 500) failSpan(span, outcome.error);
  span.setAttribute(ATTR.errorType, outcome.code);
}

/** Whether somebody records what is said of the request. */
export const isTraced = (): boolean => trace.getActiveSpan()?.isRecording() ?? false;

/** Says in the active span which job it is about; with its creation where that is known. */
export function touchJob(job: Pick<Job, 'id'> & Partial<Job>): void {
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) return;
  const { id, service, type, state, context } = job;
  span.setAttribute(ATTR.jobId, id);
  if (service !== undefined) span.setAttribute(ATTR.jobService, service);
  if (type !== undefined) span.setAttribute(ATTR.jobType, type);
  if (state !== undefined) span.setAttribute(ATTR.jobState, state);
  const link = linkTo(context?.traceparent, LINK.job);
  if (link) span.addLink(link);
}
