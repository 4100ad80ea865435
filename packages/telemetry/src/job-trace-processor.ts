// Puts log records that belong to a job, and to no span, into the trace of their job: the SDK itself takes a trace only
// together with a span.
import { isValidTraceId, TraceFlags } from '@opentelemetry/api';
import type { LogRecordProcessor, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import { ATTR } from '@trellis/contracts';

export class JobTraceProcessor implements LogRecordProcessor {
  onEmit(record: ReadWriteLogRecord): void {
    const traceId = record.attributes[ATTR.traceId];
    if (record.spanContext || typeof traceId !== 'string' || !isValidTraceId(traceId)) return;
    record.spanContext = { traceId, spanId: '', traceFlags: TraceFlags.NONE };
  }

  enabled(): boolean {
    return false;
  }

  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}
