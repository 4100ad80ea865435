// What a process tells @trellis/telemetry, and how that follows from a component's configuration.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { baseConfig } from '../load-config.ts';

export interface TelemetrySettings {
  /** `service.name` of everything that is exported. */
  serviceName: string;
  serviceVersion?: string | undefined;
  /** Unique to the process; default: made up. */
  instanceId?: string | undefined;
  /** Base URL of OTLP over HTTP, such as `http://127.0.0.1:4318`; without one no traces and logs are exported. */
  otlpEndpoint?: string | undefined;
  otlpHeaders?: Record<string, string> | undefined;
  /** Default: for Prometheus only. */
  metrics?: { prometheus: boolean; otlp: boolean } | undefined;
  /** Share of the traces that begin here which is recorded, 0 to 1; default 1. */
  sampleRatio?: number | undefined;
}

/** What a component needs of the telemetry that was started for it. */
export interface ComponentTelemetry {
  /** Answers GET /metrics. */
  metrics(request: IncomingMessage, response: ServerResponse): Promise<void> | void;
  /** The last thing that happens; bounded in time. */
  shutdown(): Promise<void>;
}

type Config = z.infer<z.ZodObject<typeof baseConfig>>;

/** The settings that a component's configuration asks for. */
export function telemetryOf(
  config: Pick<
    Config,
    'instanceId' | 'otelExporterOtlpEndpoint' | 'otelExporterOtlpHeaders' | 'otelMetricsExporter' | 'otelSampleRatio'
  >,
  serviceName: string,
  serviceVersion?: string,
): TelemetrySettings {
  return {
    serviceName,
    serviceVersion,
    instanceId: config.instanceId,
    otlpEndpoint: config.otelExporterOtlpEndpoint,
    otlpHeaders: config.otelExporterOtlpHeaders,
    metrics: {
      prometheus: config.otelMetricsExporter.includes('prometheus'),
      otlp: config.otelMetricsExporter.includes('otlp'),
    },
    sampleRatio: config.otelSampleRatio,
  };
}
