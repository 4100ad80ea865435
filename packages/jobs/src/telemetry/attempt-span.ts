// The spans of one attempt: the wait before it, and the attempt itself, below which everything hangs that its handler does.
// Within the time to join the trace of the creation both are part of it; later the attempt is the root of a trace of its own.
import {
  type Context,
  context as otelContext,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { ATTR, type EventType } from '@trellis/contracts';
import { failSpan, traceparentOf } from '@trellis/instrumentation';

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

/** Runs `run` as part of the attempt. */
export const withinAttempt = <T>(span: AttemptSpan | undefined, run: () => T): T =>
  span === undefined ? run() : otelContext.with(span.context, run);
