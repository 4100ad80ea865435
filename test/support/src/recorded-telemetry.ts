// Telemetry of the test process, kept in memory: spans, metrics and logs as an SDK would export them.
// One recorder per process, because the providers of the OpenTelemetry API are global.
import { context, logs, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

export interface RecordedTelemetry extends AsyncDisposable {
  /** Ended spans, in the order in which they ended. */
  spans(): ReadableSpan[];
  logRecords(): ReturnType<InMemoryLogRecordExporter['getFinishedLogRecords']>;
  /** Every instrument with data points, read now. */
  metrics(): Promise<MetricData[]>;
  /** The value of one data point: a number, or count and sum of a histogram; undefined if there is none. */
  metric(name: string, labels?: Record<string, string>): Promise<unknown>;
  /** Removes the recorded spans and log records. */
  reset(): void;
}

class ReadOnDemand extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Records until it is disposed of or the test file ends. */
export function recordTelemetry(): RecordedTelemetry {
  const spans = new InMemorySpanExporter();
  const records = new InMemoryLogRecordExporter();
  const reader = new ReadOnDemand({
    // With delta temporality a gauge that is no longer observed has no value. A cumulative one would keep its last value.
    aggregationTemporalitySelector: (type) =>
      type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
  });
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const meters = new MeterProvider({ readers: [reader] });
  const loggers = new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter: records })] });
  const contexts = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(contexts);
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  logs.setGlobalLoggerProvider(loggers);
  const readMetrics = async () => {
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  };
  return {
    spans: () => spans.getFinishedSpans(),
    logRecords: () => records.getFinishedLogRecords(),
    metrics: readMetrics,
    async metric(name, labels = {}) {
      const found = (await readMetrics()).find(({ descriptor }) => descriptor.name === name);
      const matches = (attributes: Record<string, unknown>) =>
        Object.entries(labels).every(([label, value]) => attributes[label] === value);
      return found?.dataPoints.find(({ attributes }) => matches(attributes))?.value;
    },
    reset() {
      spans.reset();
      records.reset();
    },
    async [Symbol.asyncDispose]() {
      for (const api of [context, trace, metrics, logs]) api.disable();
      contexts.disable();
      await Promise.all([tracers.shutdown(), meters.shutdown(), loggers.shutdown()]);
    },
  };
}
