// An OpenTelemetry SDK that keeps what it gets in memory, for tests that look at the spans, log records and metrics of a process.
import { type Attributes, context, logs, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { ATTR } from '@trellis/contracts';

export interface TracedProcess {
  /** The ended spans of a job, by their order of start; of all jobs without an id. */
  spans(jobId?: string): ReadableSpan[];
  logRecords(jobId: string): readonly ReadableLogRecord[];
  /** The values of a metric by the attributes that they stand for. */
  metric(name: string): Promise<{ attributes: Attributes; value: unknown }[]>;
  stop(): Promise<void>;
}

export function startTracing(): TracedProcess {
  const spanExporter = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spanExporter })] });
  const logExporter = new InMemoryLogRecordExporter();
  const loggers = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: logExporter })] });
  const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: metricExporter })] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(tracers);
  logs.setGlobalLoggerProvider(loggers);
  metrics.setGlobalMeterProvider(meters);
  return {
    spans: (jobId) =>
      spanExporter
        .getFinishedSpans()
        .filter(({ attributes }) => jobId === undefined || attributes[ATTR.jobId] === jobId)
        .toSorted((a, b) => millis(a.startTime) - millis(b.startTime)),
    logRecords: (jobId) =>
      logExporter.getFinishedLogRecords().filter(({ attributes }) => attributes[ATTR.jobId] === jobId),
    async metric(name) {
      await meters.forceFlush();
      const all =
        metricExporter
          .getMetrics()
          .at(-1)
          ?.scopeMetrics.flatMap(({ metrics: found }) => found) ?? [];
      return all.flatMap(({ descriptor, dataPoints }) => (descriptor.name === name ? [...dataPoints] : []));
    },
    async stop() {
      for (const api of [context, trace, logs, metrics]) api.disable();
      await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
    },
  };
}

/** Of a span's start or end, since the epoch. */
export const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1e6;
