// The writers of spans and logs: a loop that flushes each, and a last flush when the process stops.
import type { ComponentScope } from '@trellis/runtime';
import type { ClickHouse } from '@trellis/store-clickhouse';
import { createTraceTables, type LogRecord, type SpanRecord, TraceWriter } from '@trellis/store-traces';
import { BatchWriter } from './batch-writer.ts';
import type { OtelReceiverConfig } from './config.ts';

const MAX_ROWS = 10_000;
const BACKOFF = { firstMs: 200, maxMs: 2_000 };

export interface Writers {
  spans: BatchWriter<SpanRecord>;
  logs: BatchWriter<LogRecord>;
}

/** @param received counts for the last line of the log */
export function runWriters(
  { log, use, run, ready }: ComponentScope,
  { clickhouse, config, received }: { clickhouse: ClickHouse; config: OtelReceiverConfig; received: object },
): Writers {
  const store = new TraceWriter(clickhouse);
  const prepare = () => createTraceTables(clickhouse, config.otelRetentionDays);
  const settings = { prepare, maxBytes: config.otlpMaxQueuedBytes, maxRows: MAX_ROWS, log };
  const spans = new BatchWriter<SpanRecord>({ ...settings, what: 'spans', insert: (rows) => store.insertSpans(rows) });
  const logs = new BatchWriter<LogRecord>({ ...settings, what: 'logs', insert: (rows) => store.insertLogs(rows) });
  const writers = [spans, logs];
  // The last records are written after the server is closed and the loops have ended.
  use('writers', writers, {
    close: async () => {
      const results = await Promise.allSettled(writers.map((writer) => writer.flush()));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed) log.error({ error: failed.reason }, 'the last records could not be stored');
      log.info({ ...received, dropped: spans.dropped + logs.dropped }, 'received since the start');
    },
  });
  const loops = writers.map((writer) =>
    run('writer', { intervalMs: config.flushIntervalMs, backoff: BACKOFF, run: () => writer.flush() }),
  );
  ready('writers', () => {
    for (const { lastError } of loops) if (lastError !== undefined) throw lastError;
  });
  return { spans, logs };
}
