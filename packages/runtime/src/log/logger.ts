// Structured logs, one JSON object a line on standard output, and the same lines to whoever takes logs by OpenTelemetry.
import { isSpanContextValid, trace } from '@opentelemetry/api';
import pino from 'pino';
import { exportLines, type LineDestination } from './export-lines.ts';

/**
 * A logger whose lines carry the component's name and instance. Lines about a job carry `jobId`, `service`, `jobType`,
 * `traceId` and `requestId` under exactly these names; lines that are written while a span is active carry `traceId`
 * (unless they have one of their own) and `spanId`.
 */
export function createLogger(
  options: { name: string; level?: string; instanceId?: string },
  destination: LineDestination = pino.destination(1),
): pino.Logger {
  const settings: pino.LoggerOptions = {
    level: options.level ?? 'info',
    base: { component: options.name, ...(options.instanceId === undefined ? {} : { instanceId: options.instanceId }) },
    messageKey: 'message',
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err, err: pino.stdSerializers.err },
    redact: { paths: ['*.password', '*.token', 'password', 'token'], censor: '[redacted]' },
    mixin: (_fields, _level, logger) => spanFields(logger),
  };
  return pino(settings, exportLines(destination));
}

const NO_FIELDS = {};

function spanFields(logger: pino.Logger): object {
  const span = trace.getActiveSpan()?.spanContext();
  // Without an SDK there are spans of no trace.
  if (!span || !isSpanContextValid(span)) return NO_FIELDS;
  const { traceId, spanId } = span;
  return 'traceId' in logger.bindings() ? { spanId } : { traceId, spanId };
}
