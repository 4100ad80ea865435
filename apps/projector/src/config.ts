// Everything that can be set of the projector, with its defaults.
import { baseConfig, clickhouseConfig, configOrExit, leaseMs, pipelinesConfig, postgresConfig } from '@trellis/runtime';
import { z } from 'zod';

const PIPELINES = ['current', 'history'] as const;

export const ProjectorConfig = z.object({
  ...baseConfig,
  pipelines: z
    .array(z.enum(PIPELINES))
    .min(1)
    .default([...PIPELINES])
    .describe('pipelines that this process may work'),
  ...postgresConfig,
  ...clickhouseConfig,
  clickhouseDatabase: z
    .string()
    .min(1)
    .optional()
    .describe('database of the history; default: the one in the URL, else trellis_jobs'),
  historyTtlDays: z
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe('days for which ClickHouse keeps the history, by the time the stream stored it; default: for ever'),
  ...pipelinesConfig,
  consumerPrefix: z
    .string()
    .regex(/^[\w-]+$/, 'expected letters, digits, "_" and "-"')
    .default('projector')
    .describe('durable consumers are named <prefix>-current and <prefix>-history'),
  leaseMs: leaseMs({
    min: 1_000,
    fallback: 10_000,
    what: 'another process takes a pipeline over when its owner was silent for this long',
  }),
  batchSize: z
    .int()
    .min(1)
    .max(50_000)
    .default(20_000)
    .describe('events in one transaction of the current pipeline, at most'),
  lingerMs: z
    .int()
    .min(0)
    .max(10_000)
    .default(10)
    .describe('how long a pipeline that has caught up waits for more events after one'),
});
export type ProjectorConfig = z.infer<typeof ProjectorConfig>;

export const readConfig = (): ProjectorConfig => configOrExit(ProjectorConfig);
