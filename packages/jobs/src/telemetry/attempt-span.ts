// The spans of one attempt: the wait before it, and the attempt itself, below which everything hangs that its handler does.
// Within the time to join the trace of the creation both are part of it; later the attempt is the root of a trace of its own.
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  type Link,
  context as otelContext,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { ATTR, type EventType, LINK, spanName, workConsumerName, workSubject } from '@trellis/contracts';
import { contextOf, failSpan, linkTo, traceparentOf } from '@trellis/instrumentation';
import type { Delivery } from '../delivery/delivery.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import type { AttemptHistory } from './attempt-history.ts';
import { jobAttributes, jobTracer } from './job-tracer.ts';

/** How an attempt ended, as its span shows it. */
export interface AttemptEnd {
  /** What was stored, or what had ended the job before that. */
  event: EventType;
  error?: string | undefined;
  /** See `errorTypeOf`. */
  errorType?: string | undefined;
}

const FAILED: ReadonlySet<EventType> = new Set(['retry', 'failed', 'dead', 'staleCompletionIgnored']);

export class AttemptSpan {
  /** With the span: what runs in it belongs to the attempt. */
  readonly context: Context;
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
    this.context = trace.setSpan(ROOT_CONTEXT, span);
  }

  /** W3C. */
  get traceparent(): string {
    return traceparentOf(this.#span.spanContext());
  }

  /** Something that happened to the attempt: it was told to stop. */
  note(name: string, reason: string | undefined): void {
    this.#span.addEvent(name, reason === undefined ? {} : { reason });
  }

  /** What the handler threw or returned. */
  exception(error: unknown): void {
    this.#span.recordException(error instanceof Error ? error : String(error));
  }

  end({ event, error, errorType = '_OTHER' }: AttemptEnd): void {
    this.#span.setAttribute(ATTR.jobState, event);
    if (FAILED.has(event) && error !== undefined) {
      this.#span.setAttribute(ATTR.errorType, errorType);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    }
    this.#span.end();
  }

  /** Ends a span whose attempt has no outcome of which is known that it is stored. Does nothing to one that has ended. */
  lost(error: unknown): void {
    if (!this.#span.isRecording()) return;
    failSpan(this.#span, error);
    this.#span.end();
  }
}

export interface Opened {
  span: AttemptSpan;
  /** `started` is stored. What is never called leaves no spans behind. */
  begun(): void;
}

/** The span of an attempt whose `started` is about to be published; undefined without an OpenTelemetry SDK. */
export function openAttempt(
  scope: WorkerScope,
  { work, key }: Delivery,
  { attempt, maxTries, history }: { attempt: number; maxTries: number; history: AttemptHistory },
): Opened | undefined {
  const tracer = jobTracer();
  if (tracer === undefined) return undefined;
  const { service, jobType, instanceId, joinTraceMs } = scope;
  const { traceparent, tracestate, requestId } = work.event.context;
  const now = Date.now();
  const joins = history.createdAt !== undefined && now - history.createdAt <= joinTraceMs;
  const creation = joins ? contextOf(traceparent, tracestate) : ROOT_CONTEXT;
  const links = [
    linkTo(traceparent, LINK.creation),
    history.previous === undefined ? undefined : linkTo(history.previous, LINK.previousAttempt),
  ].filter((link): link is Link => link !== undefined);
  const destination = workSubject(service, jobType);
  const facts: Attributes = {
    [ATTR.jobAttempt]: attempt,
    [ATTR.jobMaxTries]: maxTries,
    [ATTR.requestId]: requestId,
    [ATTR.instanceId]: instanceId,
    [ATTR.messagingConsumerGroup]: workConsumerName(service, jobType),
    [ATTR.messagingConversationId]: requestId,
    ...(key ? { [ATTR.jobKey]: key.key } : {}),
  };
  const job = { service, jobType, jobId: work.jobId };
  const opened = tracer.startSpan(
    spanName('process', destination),
    {
      kind: SpanKind.CONSUMER,
      root: !joins,
      links,
      startTime: new Date(now),
      attributes: {
        ...jobAttributes(job, 'process'),
        [ATTR.messagingOperationType]: 'process',
        ...facts,
        ...(history.previousLost ? { [ATTR.jobPreviousAttemptLost]: true } : {}),
      },
    },
    creation,
  );
  if (!isSpanContextValid(opened.spanContext())) return undefined;
  const span = new AttemptSpan(opened);
  const begun = () => {
    // A root would be a trace with nothing but a wait in it.
    const parent = joins ? creation : span.context;
    const wait = tracer.startSpan(
      spanName('wait', destination),
      // Clocks differ between hosts.
      {
        startTime: new Date(Math.min(history.dueAt, now)),
        attributes: { ...jobAttributes(job, 'wait'), ...facts },
        links,
      },
      parent,
    );
    wait.end(new Date(now));
  };
  return { span, begun };
}

/** Runs `run` as part of the attempt. */
export const withinAttempt = <T>(span: AttemptSpan | undefined, run: () => T): T =>
  span === undefined ? run() : otelContext.with(span.context, run);
