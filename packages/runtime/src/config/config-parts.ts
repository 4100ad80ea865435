// The settings that several components share: name, default and meaning stand here once.
import { DEFAULT_PIPELINES_BUCKET, newInstanceId, StreamNames } from '@trellis/contracts';
import ms, { type StringValue } from 'ms';
import { z } from 'zod';

/** `name=value`, separated with commas, values percent-encoded: the format of OTEL_EXPORTER_OTLP_HEADERS. */
const OtlpHeaders = z
  .string()
  .regex(/^\s*[^=,\s]+=[^,]*(,\s*[^=,\s]+=[^,]*)*$/, 'expected name=value, separated with commas')
  .transform((text) =>
    Object.fromEntries(
      text.split(',').map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
      }),
    ),
  );

export const METRICS_EXPORTERS = ['prometheus', 'otlp', 'none'] as const;

/** Every process. */
export const processConfig = {
  instanceId: z.string().min(1).default(newInstanceId).describe('name of this process, unique'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
    .default('info')
    .describe('lowest level logged'),
  healthPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('port of GET /live, /ready and /metrics; none: not served'),
  healthHost: z.string().default('0.0.0.0').describe('address that GET /live, /ready and /metrics listen on'),
};

/** Who connects to NATS. */
export const natsConfig = {
  natsUrl: z.string().min(1).default('nats://127.0.0.1:4222').describe('NATS server(s), comma separated'),
  natsOptions: z.record(z.string(), z.unknown()).default({}).describe('further options of connect(), as JSON'),
  streamNames: StreamNames.default(StreamNames.parse({})).describe('names of the streams, as JSON'),
  streamReplicas: z.int().min(1).max(5).optional().describe('replicas of streams that are created here; default 1'),
};

/** Who exports traces, metrics and logs. */
export const telemetryConfig = {
  otelExporterOtlpEndpoint: z
    .url()
    .optional()
    .describe('base URL of OTLP over HTTP, for traces and logs; none: they are not exported'),
  otelExporterOtlpHeaders: OtlpHeaders.optional().describe('headers of OTLP, as `name=value`, separated with commas'),
  otelMetricsExporter: z
    .array(z.enum(METRICS_EXPORTERS))
    .default(['prometheus'])
    .describe('where metrics go: GET /metrics, OTLP (both as a list), or nowhere'),
  otelSampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('share of the traces that begin here which is recorded'),
};

/** Every component on NATS. */
export const baseConfig = { ...natsConfig, ...processConfig, ...telemetryConfig };

/** Who connects to Postgres. */
export const postgresConfig = {
  databaseUrl: z
    .string()
    .min(1)
    .default('postgres://trellis@127.0.0.1:5432/trellis')
    .describe('PostgreSQL with the projection'),
  databaseSchema: z.string().min(1).default('trellis_jobs').describe('schema of the projection'),
};

/** Most connections of one process to Postgres. */
export const databaseConnections = ({ min, fallback }: { min: number; fallback: number }) =>
  z.int().min(min).max(100).default(fallback).describe('most connections to PostgreSQL');

/** Who needs ClickHouse. */
export const clickhouseConfig = {
  clickhouseUrl: z.string().min(1).default('http://127.0.0.1:8123').describe('ClickHouse server'),
};

/** Who reads or writes how far the history pipeline is. */
export const pipelinesConfig = {
  pipelinesBucket: z
    .string()
    .min(1)
    .default(DEFAULT_PIPELINES_BUCKET)
    .describe('KV bucket with the record of the history pipeline'),
};

/** How long an owner may be silent, in milliseconds, before another process takes over. */
export const leaseMs = ({ min, fallback, what }: { min: number; fallback: number; what: string }) =>
  z.int().min(min).max(600_000).default(fallback).describe(what);

/** `7d`, `12h`, `30m`, `90s`, or milliseconds; parsed to milliseconds. */
export function duration({ minMs = 0 }: { minMs?: number } = {}) {
  const least = minMs === 0 ? '' : ` of at least ${ms(minMs, { long: true })}`;
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const millis = typeof value === 'number' ? value : ms(value as StringValue);
    if (Number.isFinite(millis) && millis >= minMs) return millis;
    context.addIssue({
      code: 'custom',
      message: `expected a duration${least} such as 90s, 30m, 12h or 7d, got "${value}"`,
    });
    return z.NEVER;
  });
}
