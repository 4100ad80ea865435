// Trace contexts as text and as OpenTelemetry has them: W3C `traceparent` and `tracestate` in jobs and in NATS headers. Needs no
// SDK and no registered propagator. What is linked to what is decided where the spans are opened.
import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import { ATTR, type LINK } from '@trellis/contracts';

/** The part of a NATS message's headers that carries the context. */
export interface MessageHeaders {
  get(name: string): string;
  set(name: string, value: string): void;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The remote span that a `traceparent` names; undefined when it is missing or not valid. */
export function spanContextOf(traceparent: string | undefined, tracestate?: string): SpanContext | undefined {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Later versions may append fields, version 00 has none; ff is forbidden.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  const spanContext: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(tracestate ? { traceState: createTraceState(tracestate) } : {}),
  };
  return isSpanContextValid(spanContext) ? spanContext : undefined;
}

/** W3C `traceparent` of a span. */
export const traceparentOf = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`;

/** A context whose active span is the remote one; the root context when there is none. */
export function contextOf(traceparent: string | undefined, tracestate?: string): Context {
  const spanContext = spanContextOf(traceparent, tracestate);
  return spanContext ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : ROOT_CONTEXT;
}

/** A link to the span that a `traceparent` names, with its reason; undefined when that is missing or not valid. */
export function linkTo(traceparent: string | undefined, kind: (typeof LINK)[keyof typeof LINK]): Link | undefined {
  const spanContext = spanContextOf(traceparent);
  return spanContext && { context: spanContext, attributes: { [ATTR.linkKind]: kind } };
}

/** Writes the span of `from` (default: the active one) into the headers; without a span they stay as they are. */
export function injectHeaders(headers: MessageHeaders, from: Context = context.active()): void {
  const spanContext = trace.getSpanContext(from);
  if (!spanContext || !isSpanContextValid(spanContext)) return;
  headers.set('traceparent', traceparentOf(spanContext));
  const tracestate = spanContext.traceState?.serialize();
  if (tracestate) headers.set('tracestate', tracestate);
}

/** The context that the sender of a message put into its headers; the root context when there is none. */
export const extractHeaders = (headers: MessageHeaders | undefined): Context =>
  contextOf(headers?.get('traceparent'), headers?.get('tracestate'));
