/** What a process tells @trellis/telemetry when it starts it. */
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
