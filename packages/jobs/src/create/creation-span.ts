// The span of a job's creation. Its context becomes the job's, in the event and in its headers, unless the creator gave one.
// Without an OpenTelemetry SDK there is no span: job-context.ts makes the context.
import {
  type Context,
  isSpanContextValid,
  context as otelContext,
  type Span,
  SpanKind,
  trace,
} from '@opentelemetry/api';
import {
  ATTR,
  decodeEvent,
  type JobContext,
  LINK,
  type LifecycleEvent,
  newId,
  type StoredMessage,
  spanName,
  workSubject,
} from '@trellis/contracts';
import { contextOf, linkTo } from '@trellis/instrumentation';
import { jobAttributes, jobTracer, type TracedJob } from '../telemetry/job-tracer.ts';
import type { Submitted } from './admit-job.ts';
import { checkedContext, contextForNewJob, handledContext, traceOfSpan } from './job-context.ts';

export interface Creation {
  /** Of the new job. */
  context: JobContext;
  span: Span | undefined;
}

/**
 * Opens the span below the explicit context, else below the active span, else below the creation of the job being handled.
 * @throws {ValidationError} when the explicit context is invalid
 */
export function openCreation(job: TracedJob, given: JobContext | undefined): Creation {
  const tracer = jobTracer();
  if (tracer === undefined) return { context: contextForNewJob(given), span: undefined };
  const explicit = given && checkedContext(given);
  const handled = handledContext();
  const span = tracer.startSpan(
    spanName('create', workSubject(job.service, job.jobType)),
    {
      kind: SpanKind.PRODUCER,
      attributes: { ...jobAttributes(job, 'create'), [ATTR.messagingOperationType]: 'create' },
    },
    parentOf(explicit, handled),
  );
  const spanContext = span.spanContext();
  // Tracing may be suppressed here.
  if (!isSpanContextValid(spanContext)) return { context: contextForNewJob(given), span: undefined };
  const context = explicit ?? { requestId: handled?.requestId ?? newId(), ...traceOfSpan(spanContext) };
  span.setAttribute(ATTR.requestId, context.requestId);
  span.setAttribute(ATTR.messagingConversationId, context.requestId);
  return { context, span };
}

function parentOf(explicit: JobContext | undefined, handled: JobContext | undefined): Context {
  if (explicit) return contextOf(explicit.traceparent, explicit.tracestate);
  const active = otelContext.active();
  if (handled === undefined || trace.getSpanContext(active) !== undefined) return active;
  return contextOf(handled.traceparent, handled.tracestate);
}

/**
 * Ends the span with the outcome of the creation.
 * @param existing `traceparent` of the job that had the id already
 */
export function describeCreation(span: Span, submitted: Submitted, existing: string | undefined): void {
  if (submitted.kind !== 'accepted') span.setAttribute(ATTR.queueOutcome, submitted.kind);
  if (submitted.kind === 'coalesced') span.setAttribute(ATTR.jobId, submitted.existingJobId);
  if (existing !== undefined || submitted.kind === 'coalesced' || submitted.kind === 'rejected') {
    span.setAttribute(ATTR.jobCreated, false);
  }
  const link = linkTo(existing, LINK.job);
  if (link) span.addLink(link);
}

/** The `traceparent` of the job in `found` unless it is this creation's: every creation of an id has the same message id. */
export function traceparentOfAnother(created: LifecycleEvent, found: StoredMessage): string | undefined {
  const decoded = decodeEvent(found);
  if (decoded.kind === 'quarantined') return undefined;
  const { timestamp, context } = decoded.stored.event;
  const own = timestamp === created.timestamp && context.traceparent === created.context.traceparent;
  return own ? undefined : context.traceparent;
}
