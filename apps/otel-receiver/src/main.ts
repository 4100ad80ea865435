// The OTLP receiver as a process: what is connected to what.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type Loop, loop } from '@trellis/async';
import { createLogger, runComponent } from '@trellis/runtime';
import { openClickHouse } from '@trellis/store-clickhouse';
import { createTraceTables, type LogRecord, type SpanRecord, TraceWriter } from '@trellis/store-traces';
import { BatchWriter } from './batch-writer.ts';
import { readConfig } from './config.ts';
import { otlpServer } from './serve-otlp.ts';

const MAX_ROWS = 10_000;

const config = readConfig();
const log = createLogger({ name: 'otel-receiver', level: config.logLevel, instanceId: config.instanceId });

await runComponent({
  name: 'otel-receiver',
  config,
  log,
  async start(scope) {
    const clickhouse = openClickHouse({ url: config.clickhouseUrl, database: config.otelDatabase });
    scope.onStop(() => clickhouse.close());
    const prepare = () => createTraceTables(clickhouse, config.otelRetentionDays);
    const store = new TraceWriter(clickhouse);
    const waiting = { prepare, maxBytes: config.otlpMaxQueuedBytes, maxRows: MAX_ROWS, log };
    const spans = new BatchWriter<SpanRecord>({ ...waiting, what: 'spans', insert: (rows) => store.insertSpans(rows) });
    const logs = new BatchWriter<LogRecord>({ ...waiting, what: 'logs', insert: (rows) => store.insertLogs(rows) });
    const { server, received } = otlpServer({
      spans,
      logs,
      maxRequestBytes: config.otlpMaxRequestBytes,
      maxConcurrent: config.otlpMaxConcurrent,
      log,
    });

    // What came in last is written after nothing more can come in.
    const writers = [spans, logs];
    scope.onStop(async () => {
      const results = await Promise.allSettled(writers.map((writer) => writer.flush()));
      const lost = results.find((result) => result.status === 'rejected');
      if (lost) log.error({ error: lost.reason }, 'what was received last could not be stored');
      log.info({ ...received, dropped: spans.dropped + logs.dropped }, 'received since the start');
    });
    const backoff = { firstMs: 200, maxMs: 2_000 };
    const flushing: Loop[] = writers.map((writer) =>
      loop('writer', {
        signal: scope.signal,
        log,
        intervalMs: config.flushIntervalMs,
        backoff,
        run: () => writer.flush(),
      }),
    );
    scope.onStop(async () => void (await Promise.all(flushing.map(({ done }) => done))));

    server.listen(config.otlpPort, config.otlpHost);
    await once(server, 'listening');
    scope.onStop(async () => {
      server.close();
      server.closeIdleConnections();
      await once(server, 'close');
    });
    log.info({ port: (server.address() as AddressInfo).port }, 'OTLP is served');

    scope.ready('clickhouse', () => clickhouse.ping());
    scope.ready('writers', () => {
      for (const { lastError } of flushing) if (lastError !== undefined) throw lastError;
    });
  },
});
