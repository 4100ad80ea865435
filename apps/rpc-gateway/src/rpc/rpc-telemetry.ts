// Telemetry of every RPC: a span in the caller's trace, counts, durations, and what they
// are refused with.
import type { MsgHdrs } from '@nats-io/transport-node';
import { context, isSpanContextValid, type Span, SpanKind, trace } from '@opentelemetry/api';
import { ATTR, FAULTS, type FaultCode, type Job, LINK, RPC_SERVICE, RPC_SYSTEM } from '@trellis/contracts';
import { extractHeaders, failSpan, linkTo, observeMetrics, recordMetric } from '@trellis/instrumentation';

/** How a request ended. */
export type RpcOutcome = { code: 'ok' } | { code: FaultCode; error: unknown };

/** Counts of one method, kept here: recording them with instruments would cost as much as the request's JSON. */
export class RpcFigures {
  readonly method: string;
  /** How requests ended: with `ok`, or the code of a fault. */
  readonly ended: Record<RpcOutcome['code'], number>;
  started = 0;
  totalMs = 0;

  constructor(method: string) {
    this.method = method;
    this.ended = Object.fromEntries(['ok', ...Object.keys(FAULTS)].map((code) => [code, 0])) as typeof this.ended;
  }

  get answered(): number {
    return Object.values(this.ended).reduce((sum, count) => sum + count, 0);
  }
}

/** Shows the figures as metrics, from the start until it is disposed of. */
export function showFigures(figures: readonly RpcFigures[]): Disposable {
  const hide = observeMetrics(['trellis.rpc.requests', 'trellis.rpc.in_flight'], (observe) => {
    for (const { method, ended, started, answered } of figures) {
      for (const [code, count] of Object.entries(ended)) observe('trellis.rpc.requests', { method, code }, count);
      observe('trellis.rpc.in_flight', { method }, started - answered);
    }
  });
  return { [Symbol.dispose]: hide };
}

/**
 * Answers one request within its span, below that of the caller.
 * @param answer never rejects; gets the id of the trace, undefined when the caller has none and no spans are recorded
 */
export async function inServerSpan(
  { figures, headers, requestId }: { figures: RpcFigures; headers: MsgHdrs | undefined; requestId: string },
  answer: (traceId: string | undefined) => Promise<RpcOutcome>,
): Promise<void> {
  const from = performance.now();
  const { method } = figures;
  figures.started++;
  const name = method.slice(method.indexOf('.') + 1);
  const attributes = {
    [ATTR.rpcSystem]: RPC_SYSTEM,
    [ATTR.rpcService]: RPC_SERVICE,
    [ATTR.rpcMethod]: name,
    [ATTR.requestId]: requestId,
  };
  const parent = extractHeaders(headers);
  const tracer = trace.getTracer('trellis.rpc-gateway');
  const span = tracer.startSpan(`${RPC_SERVICE}/${name}`, { kind: SpanKind.SERVER, attributes }, parent);
  const spanContext = span.spanContext();
  // A context that holds nothing would only have to be carried along.
  const outcome = isSpanContextValid(spanContext)
    ? await context.with(trace.setSpan(parent, span), () => answer(spanContext.traceId))
    : await answer(undefined);
  recordOutcome(span, outcome);
  span.end();
  const ms = performance.now() - from;
  figures.ended[outcome.code]++;
  figures.totalMs += ms;
  recordMetric('trellis.rpc.duration', { method }, ms / 1_000);
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
