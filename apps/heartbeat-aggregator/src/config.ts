// Everything that can be set of the heartbeat aggregator, with its defaults.
import { DEFAULT_HEARTBEAT_INTERVAL_MS } from '@trellis/contracts';
import { baseConfig, configOrExit, duration, leaseMs, postgresConfig } from '@trellis/runtime';
import { z } from 'zod';

export const AggregatorConfig = z.object({
  ...baseConfig,
  ...postgresConfig,
  presenceFlushMs: z.int().min(50).max(60_000).default(500).describe('time from one write of presence to the next'),
  presenceLeaseMs: leaseMs({
    min: 500,
    fallback: 5_000,
    what: 'another replica takes over when the owner was silent for this long',
  }),
  presenceRetention: duration({ minMs: 1_000 }).prefault('24h').describe('how long a worker that is gone stays known'),
  presenceIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(DEFAULT_HEARTBEAT_INTERVAL_MS)
    .describe('time between two heartbeats of a worker, until it is learned from them'),
});
export type AggregatorConfig = z.infer<typeof AggregatorConfig>;

export const readConfig = (): AggregatorConfig => configOrExit(AggregatorConfig);
