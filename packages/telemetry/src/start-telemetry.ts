// Sets OpenTelemetry's SDK up for a process: traces and logs by OTLP where there is an endpoint, metrics for Prometheus and by OTLP.
// What is recorded, and under which names, is the business of those who use the API.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { context, logs, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { type IMetricReader, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { sleep } from '@trellis/async';
import { ATTR, newInstanceId, TELEMETRY_SCHEMA } from '@trellis/contracts';
import type { TelemetrySettings } from '@trellis/instrumentation';
import { createLogger } from '@trellis/runtime';
import { instrumentLibraries } from './instrument-libraries.ts';
import { JobTraceProcessor } from './job-trace-processor.ts';
import { PrometheusReader, temporality } from './prometheus-reader.ts';
import { reportTroubleSeldom } from './report-trouble.ts';

export type TelemetryOptions = TelemetrySettings;

export interface Telemetry {
  /** Answers a scrape in Prometheus' text format; 404 when metrics are not for Prometheus. */
  metrics(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Sends what is left, for 3 s at most. Never rejects. */
  shutdown(): Promise<void>;
}

/** A process that is killed loses what was recorded in this time. */
const EXPORT_DELAY_MS = 500;
const EXPORT_TIMEOUT_MS = 5_000;
const METRICS_EVERY_MS = 15_000;
const SHUTDOWN_MS = 3_000;
const QUEUE = { maxQueueSize: 8_192, maxExportBatchSize: 512 };

/**
 * To be called once, before work begins; what was imported before is instrumented all the same. A collector that is
 * away costs telemetry and nothing else.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { serviceName, instanceId = newInstanceId(), otlpEndpoint } = options;
  const wanted = options.metrics ?? { prometheus: true, otlp: false };
  const report = reportTroubleSeldom(createLogger({ name: serviceName, instanceId }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const resource = resourceOf({ ...options, instanceId });
  const stops: (() => Promise<void>)[] = [];
  if (otlpEndpoint !== undefined) stops.push(...exportTracesAndLogs(otlpEndpoint, resource, options));

  const prometheus = wanted.prometheus ? new PrometheusReader() : undefined;
  const readers: IMetricReader[] = prometheus ? [prometheus] : [];
  if (wanted.otlp && otlpEndpoint !== undefined) readers.push(otlpReader(otlpEndpoint, options));
  if (readers.length > 0) {
    const meters = new MeterProvider({ resource, readers });
    metrics.setGlobalMeterProvider(meters);
    stops.push(() => meters.shutdown());
  }
  return {
    async metrics(_request, response) {
      if (prometheus) await prometheus.answer(response);
      else response.writeHead(404).end();
    },
    async shutdown() {
      const timer = new AbortController();
      const late = sleep(SHUTDOWN_MS, timer.signal).then(() => 'late' as const);
      const sent = Promise.allSettled(stops.map((stop) => stop()));
      if ((await Promise.race([sent, late])) === 'late') report(`not all was sent within ${SHUTDOWN_MS} ms at the end`);
      timer.abort();
    },
  };
}

const resourceOf = ({ serviceName, serviceVersion, instanceId }: TelemetryOptions): Resource =>
  resourceFromAttributes({
    [ATTR_SERVICE_NAME]: serviceName,
    ...(serviceVersion === undefined ? {} : { [ATTR_SERVICE_VERSION]: serviceVersion }),
    [ATTR_SERVICE_INSTANCE_ID]: instanceId,
    [ATTR.telemetrySchema]: TELEMETRY_SCHEMA,
  });

function exportTracesAndLogs(endpoint: string, resource: Resource, options: TelemetryOptions): (() => Promise<void>)[] {
  const batching = { scheduledDelayMillis: EXPORT_DELAY_MS, exportTimeoutMillis: EXPORT_TIMEOUT_MS, ...QUEUE };
  const { sampleRatio = 1 } = options;
  // Who continues a trace decides as its beginning did: traces are whole or not there.
  const root = sampleRatio >= 1 ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(sampleRatio);
  const tracers = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root }),
    spanProcessors: [
      new BatchSpanProcessor({ ...batching, exporter: new OTLPTraceExporter(otlp(endpoint, 'traces', options)) }),
    ],
  });
  trace.setGlobalTracerProvider(tracers);
  const exporter = new OTLPLogExporter(otlp(endpoint, 'logs', options));
  const loggers = new LoggerProvider({
    resource,
    processors: [new JobTraceProcessor(), new BatchLogRecordProcessor({ ...batching, exporter })],
  });
  logs.setGlobalLoggerProvider(loggers);
  instrumentLibraries(tracers);
  return [() => tracers.shutdown(), () => loggers.shutdown()];
}

function otlpReader(endpoint: string, options: TelemetryOptions): IMetricReader {
  const exporter = new OTLPMetricExporter(otlp(endpoint, 'metrics', options));
  exporter.selectAggregationTemporality = temporality;
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis: METRICS_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
}

const otlp = (endpoint: string, signal: string, { otlpHeaders }: TelemetryOptions) => ({
  url: `${endpoint.replace(/\/+$/, '')}/v1/${signal}`,
  timeoutMillis: EXPORT_TIMEOUT_MS,
  ...(otlpHeaders === undefined ? {} : { headers: otlpHeaders }),
});
