// A handler's log lines as OpenTelemetry log records, in the trace of the attempt that wrote them. The lines that are kept
// with the job itself are `logged` events: active-job.ts.
import { logs, SeverityNumber } from '@opentelemetry/api';
import { ATTR, type LogEntry } from '@trellis/contracts';
import { contextOf } from '@trellis/instrumentation';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { Work } from '../delivery/work-message.ts';
import { TELEMETRY_SCOPE } from './job-tracer.ts';

const SEVERITY = { info: SeverityNumber.INFO, warn: SeverityNumber.WARN, error: SeverityNumber.ERROR };

/** Does nothing without an OpenTelemetry SDK. */
export function emitLogRecord({ event }: Work, attempt: RunningAttempt, { timestamp, level, message }: LogEntry): void {
  const logger = logs.getLogger(TELEMETRY_SCOPE);
  const severityNumber = SEVERITY[level];
  if (!logger.enabled({ severityNumber })) return;
  const { requestId, traceparent, tracestate } = event.context;
  logger.emit({
    timestamp: new Date(timestamp),
    severityNumber,
    severityText: level.toUpperCase(),
    body: message,
    attributes: {
      [ATTR.jobId]: event.jobId,
      [ATTR.jobService]: event.service,
      [ATTR.jobType]: event.jobType,
      [ATTR.jobAttempt]: attempt.number,
      [ATTR.requestId]: requestId,
    },
    context: attempt.span?.context ?? contextOf(traceparent, tracestate),
  });
}
