// Everything that can be set of the janitor, with its defaults.
import { JOB_STATES, type JobState } from '@trellis/contracts';
import { ENDED_STATES } from '@trellis/lifecycle';
import { baseConfig, configOrExit } from '@trellis/runtime';
import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { DUTY_NAMES } from './sweep.ts';

/** `7d`, `12h`, `30m`, `90s`, or milliseconds; parsed to milliseconds. */
const Duration = z.union([z.string(), z.number()]).transform((value, context) => {
  const millis = typeof value === 'number' ? value : ms(value as StringValue);
  if (Number.isFinite(millis) && millis >= 0) return millis;
  context.addIssue({ code: 'custom', message: `expected a duration such as 90s, 30m, 12h or 7d, got "${value}"` });
  return z.NEVER;
});

const Retention = z.record(z.string(), z.unknown()).transform((given, context): Partial<Record<JobState, number>> => {
  const entries = Object.entries(given).map(([state, value]) => {
    const duration = Duration.safeParse(value);
    if (!ENDED_STATES.includes(state as JobState)) {
      const why = JOB_STATES.includes(state as JobState) ? 'is not an ended state' : 'is no state';
      context.addIssue({ code: 'custom', message: `"${state}" ${why}; expected ${ENDED_STATES.join(', ')}` });
    }
    if (!duration.success) {
      const message = duration.error.issues[0]?.message ?? 'is no duration';
      context.addIssue({ code: 'custom', message: `${state}: ${message}` });
    }
    return [state, duration.data] as const;
  });
  return Object.fromEntries(entries.filter(([, millis]) => millis !== undefined));
});

const Millis = z.int().min(20).max(86_400_000);

export const JanitorConfig = z.object({
  ...baseConfig,
  databaseUrl: z
    .string()
    .min(1)
    .default('postgres://trellis@127.0.0.1:5432/trellis')
    .describe('PostgreSQL with the projection'),
  databaseSchema: z.string().min(1).default('trellis_jobs').describe('schema of the projection'),
  databaseConnections: z.int().min(2).max(100).default(5).describe('connections to PostgreSQL'),
  pipelinesBucket: z.string().default('JOBS_PIPELINES').describe('KV bucket with the position of the history pipeline'),
  janitorIntervalMs: Millis.default(10_000).describe('time from the end of a pass to the next one, of every duty'),
  janitorDutyIntervalsMs: z
    .partialRecord(z.enum(DUTY_NAMES), Millis)
    .default({})
    .describe('other intervals of single duties, as JSON: {"retention": 60000}'),
  janitorPageSize: z.int().min(1).max(10_000).default(500).describe('jobs read from PostgreSQL at once'),
  janitorSampleSize: z.int().min(1).max(10_000).default(100).describe('jobs compared with the work queue in one pass'),
  janitorConcurrency: z.int().min(1).max(256).default(16).describe('jobs looked at in the stream at once'),
  janitorLeaseMs: z
    .int()
    .min(500)
    .max(600_000)
    .default(10_000)
    .describe('after this long without a sign of life another replica takes a duty over'),
  janitorRetention: Retention.default({}).describe(
    'how long ended jobs stay in the stream, by state, as JSON: {"completed": "7d"}; states left out stay for ever',
  ),
  janitorPurgesPerSecond: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('most jobs removed from the stream a second'),
  janitorWorkGraceMs: Millis.default(300_000).describe('how long work may be missing from the queue unreported'),
  janitorLostGraceMs: Millis.default(600_000).describe('how long a started job may be silent without work or worker'),
  janitorKeyIdleMs: Millis.default(3_600_000).describe('how long the record of a key that nobody uses is kept'),
  repairStrandedWork: z
    .boolean()
    .default(false)
    .describe('recreate the work queue when work does not reach it; finished jobs are not run again'),
  requeueLostJobs: z.boolean().default(false).describe('queue started jobs again that nobody works on'),
});
export type JanitorConfig = z.infer<typeof JanitorConfig>;

export const readConfig = (): JanitorConfig => configOrExit(JanitorConfig);
