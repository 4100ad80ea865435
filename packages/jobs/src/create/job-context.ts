// Which trace and request a new job belongs to: an explicit parent, the job being handled, the active span, or a new one
// (docs/protocol.md#events). Opening the span of a creation is creation-span.ts.
import { AsyncLocalStorage } from 'node:async_hooks';
import { isSpanContextValid, context as otelContext, type SpanContext, trace } from '@opentelemetry/api';
import { JobContext, newId, randomHex } from '@trellis/contracts';
import { traceparentOf } from '@trellis/instrumentation';
import { ValidationError } from '../errors.ts';

const handled = new AsyncLocalStorage<JobContext>();

/** Runs a handler so that jobs which it creates inherit `context`. */
export const withJobContext = <T>(context: JobContext, run: () => T): T => handled.run(context, run);

/** The context of the job that is being handled here, if one is. */
export const handledContext = (): JobContext | undefined => handled.getStore();

/**
 * The context of a new job without a span. A parent's context is used unchanged, request id included.
 * @throws {ValidationError} when the explicit parent is no valid context
 */
export function contextForNewJob(parent: JobContext | undefined): JobContext {
  if (parent !== undefined) return checkedContext(parent);
  return handledContext() ?? contextOfActiveSpan() ?? startedContext();
}

/** Checks a given context. @throws {ValidationError} naming the field */
export function checkedContext(parent: JobContext): JobContext {
  const result = JobContext.safeParse(parent);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new ValidationError(
      ['context', ...(issue?.path ?? [])].map(String).join('.'),
      issue?.message ?? 'not accepted',
    );
  }
  const { requestId, traceId, traceparent } = result.data;
  if (requestId === '') throw new ValidationError('context.requestId', 'expected a text that is not empty');
  if (!/^(?!0{32})[0-9a-f]{32}$/.test(traceId)) {
    throw new ValidationError('context.traceId', 'expected 32 hexadecimal digits, not all zero');
  }
  if (
    !/^[0-9a-f]{2}-[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/.test(traceparent) ||
    !traceparent.includes(traceId)
  ) {
    throw new ValidationError('context.traceparent', 'expected a W3C traceparent with the same trace id');
  }
  return result.data;
}

/** The trace part of a job's context. */
export function traceOfSpan(span: SpanContext): Pick<JobContext, 'traceId' | 'traceparent' | 'tracestate'> {
  const tracestate = span.traceState?.serialize();
  return {
    traceId: span.traceId,
    traceparent: traceparentOf(span),
    ...(tracestate ? { tracestate } : {}),
  };
}

function contextOfActiveSpan(): JobContext | undefined {
  const span = trace.getSpanContext(otelContext.active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  return { requestId: newId(), ...traceOfSpan(span) };
}

function startedContext(): JobContext {
  const span = { traceId: randomHex(16), spanId: randomHex(8), traceFlags: 1 };
  return { requestId: newId(), ...traceOfSpan(span) };
}
