// Everything that can be set of the heartbeat aggregator, with its defaults.
import { DEFAULT_HEARTBEAT_INTERVAL_MS } from '@trellis/contracts';
import { baseConfig, configOrExit } from '@trellis/runtime';
import ms, { type StringValue } from 'ms';
import { z } from 'zod';

const Duration = z.string().transform((text, context) => {
  const millis = ms(text as StringValue);
  if (Number.isFinite(millis) && millis >= 1_000) return millis;
  context.addIssue({
    code: 'custom',
    message: 'expected a duration of at least a second, such as 90s, 30m, 12h or 7d',
  });
  return z.NEVER;
});

export const AggregatorConfig = z.object({
  ...baseConfig,
  databaseUrl: z
    .string()
    .min(1)
    .default('postgres://trellis@127.0.0.1:5432/trellis')
    .describe('PostgreSQL in which presence is kept'),
  databaseSchema: z.string().min(1).default('trellis_jobs').describe('schema of the tables'),
  presenceFlushMs: z.int().min(50).max(60_000).default(500).describe('time from one write of presence to the next'),
  presenceLeaseMs: z
    .int()
    .min(500)
    .max(600_000)
    .default(5_000)
    .describe('after this long without a sign of life another replica takes over'),
  presenceRetention: Duration.prefault('24h').describe('how long a worker that is gone stays known'),
  presenceIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(DEFAULT_HEARTBEAT_INTERVAL_MS)
    .describe('time between two heartbeats of a worker, until it is learned from them'),
});
export type AggregatorConfig = z.infer<typeof AggregatorConfig>;

export const readConfig = (): AggregatorConfig => configOrExit(AggregatorConfig);
