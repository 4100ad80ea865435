// Runs work in a span that always ends and tells how the work ended. Names and attributes of spans are in contracts.
import { type Context, context, type Span, type SpanOptions, SpanStatusCode, trace } from '@opentelemetry/api';
import { ATTR } from '@trellis/contracts';

export interface WithSpanOptions extends SpanOptions {
  /** Where the span hangs; default: below the active one. */
  parent?: Context | undefined;
}

/**
 * Runs `run` with a span of its own as the active one. What `run` throws is recorded in the span, makes it an error and is
 * thrown on.
 */
export function withSpan<Result>(
  tracerName: string,
  name: string,
  { parent = context.active(), ...options }: WithSpanOptions,
  run: (span: Span) => Promise<Result> | Result,
): Promise<Result> {
  return trace.getTracer(tracerName).startActiveSpan(name, options, parent, async (span) => {
    try {
      return await run(span);
    } catch (error) {
      failSpan(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Marks the span as failed because of `error`. */
export function failSpan(span: Span, error: unknown): void {
  if (!span.isRecording()) return;
  span.recordException(error instanceof Error ? error : String(error));
  span.setAttribute(ATTR.errorType, errorTypeOf(error));
  span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
}

/** The kind of an error, of few values: its code where it has one, else its name. */
export function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return error.name || 'Error';
}
