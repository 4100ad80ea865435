// Everything that can be set of the RPC gateway, with its defaults.
import {
  baseConfig,
  clickhouseConfig,
  configOrExit,
  databaseConnections,
  pipelinesConfig,
  postgresConfig,
} from '@trellis/runtime';
import { DEFAULT_CLICKHOUSE_DATABASE } from '@trellis/store-clickhouse';
import { DEFAULT_OTEL_DATABASE } from '@trellis/store-traces';
import { z } from 'zod';
import { TRACE_ID_PLACE } from './reads/trace-link.ts';

export const GatewayConfig = z.object({
  ...baseConfig,
  ...postgresConfig,
  databaseConnections: databaseConnections({ min: 1, fallback: 10 }),
  statementTimeoutMs: z.int().min(100).max(600_000).default(5_000).describe('longest time of one query'),
  clickhouseUrl: clickhouseConfig.clickhouseUrl
    .unwrap()
    .optional()
    .describe('ClickHouse, for Jobs.History, Jobs.Trace and Jobs.Health; none: they do without'),
  clickhouseDatabase: z
    .string()
    .min(1)
    .default(DEFAULT_CLICKHOUSE_DATABASE)
    .describe('database of the history in ClickHouse'),
  otelDatabase: z.string().min(1).default(DEFAULT_OTEL_DATABASE).describe('database of spans and logs in ClickHouse'),
  traceUrlTemplate: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .refine((url) => url.includes(TRACE_ID_PLACE), `expected ${TRACE_ID_PLACE} in it, where the id of the trace goes`)
    .optional()
    .describe(
      `page of a trace in a tracing tool, as https://grafana/explore?traceId=${TRACE_ID_PLACE}; none: no links`,
    ),
  cancelActiveByForce: z
    .boolean()
    .default(false)
    .describe('Jobs.Cancel of an active job publishes `cancelled` at once, for workers that know no `cancelRequested`'),
  projectionWaitMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(2_000)
    .describe('how long a change waits to be projected before it is answered'),
  maxConcurrent: z.int().min(1).max(10_000).default(64).describe('requests worked on at once'),
  maxWaiting: z.int().min(0).max(100_000).default(2_000).describe('requests that may wait; further ones are refused'),
  ...pipelinesConfig,
  degradedLagMs: z
    .int()
    .min(100)
    .default(15_000)
    .describe('age of the oldest unprojected event that counts as degraded'),
  quarantineRecentMs: z
    .int()
    .min(1_000)
    .default(3_600_000)
    .describe('how long a quarantined message counts as degraded'),
  presenceFreshMs: z.int().min(1_000).default(15_000).describe('age of worker presence that counts as degraded'),
  janitorOverdueMs: z
    .int()
    .min(1_000)
    .default(60_000)
    .describe('how long a duty of the janitor may be due with nobody doing it before it counts as degraded'),
});
export type GatewayConfig = z.infer<typeof GatewayConfig>;

export const readConfig = (): GatewayConfig => configOrExit(GatewayConfig);
