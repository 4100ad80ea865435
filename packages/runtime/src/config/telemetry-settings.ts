// How the settings of the telemetry follow from a component's configuration.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TelemetrySettings } from '@trellis/instrumentation';
import type { z } from 'zod';
import type { telemetryConfig } from './config-parts.ts';

/** What a component needs of the telemetry that was started for it. */
export interface ComponentTelemetry {
  /** Answers GET /metrics. */
  metrics(request: IncomingMessage, response: ServerResponse): Promise<void> | void;
  /** The last thing that happens; bounded in time. */
  shutdown(): Promise<void>;
}

/** The part of a component's configuration that telemetry needs. */
export type TelemetryConfig = z.infer<z.ZodObject<typeof telemetryConfig>> & { instanceId: string };

/** The settings that a component's configuration asks for. */
export function telemetryOf(config: TelemetryConfig, serviceName: string, serviceVersion?: string): TelemetrySettings {
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
