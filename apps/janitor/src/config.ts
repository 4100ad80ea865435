// Everything that can be set of the janitor, with its defaults.
import { JOB_STATES, type JobState } from '@trellis/contracts';
import { ENDED_STATES } from '@trellis/lifecycle';
import {
  baseConfig,
  configOrExit,
  databaseConnections,
  duration,
  leaseMs,
  pipelinesConfig,
  postgresConfig,
} from '@trellis/runtime';
import { z } from 'zod';
import { DUTY_NAMES } from './duties/duty.ts';

const Duration = duration();

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
  ...postgresConfig,
  databaseConnections: databaseConnections({ min: 2, fallback: 5 }),
  ...pipelinesConfig,
  janitorIntervalMs: Millis.default(10_000).describe('time from the end of a pass to the next one, of every duty'),
  janitorDutyIntervalsMs: z
    .partialRecord(z.enum(DUTY_NAMES), Millis)
    .default({})
    .describe('other intervals of single duties, as JSON: {"retention": 60000}'),
  janitorPageSize: z.int().min(1).max(10_000).default(500).describe('jobs read from PostgreSQL at once'),
  janitorSampleSize: z.int().min(1).max(10_000).default(100).describe('jobs compared with the work queue in one pass'),
  janitorConcurrency: z.int().min(1).max(256).default(16).describe('jobs looked at in the stream at once'),
  janitorLeaseMs: leaseMs({
    min: 500,
    fallback: 10_000,
    what: 'another replica takes a duty over when its owner was silent for this long',
  }),
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
