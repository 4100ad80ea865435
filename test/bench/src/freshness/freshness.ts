// freshness: the time from the publish of a job until Jobs.Get answers from the projection, at a steady rate with everything
// running, beside the same with a bare consumer in the projector's place.
import { join } from 'node:path';
import type { BenchContext, BenchEntry, BenchResult } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { shown } from '../query/query.ts';
import { runTask, startTask } from '../run-task.ts';
import type { Freshness, FreshnessTask } from './create-and-watch.ts';

const JOBS_PER_SECOND = 300;
/** Watching costs more than working: one job in three is watched. */
const ONE_IN = 3;
const GOAL = { p50Ms: 25, p99Ms: 150 };

export const freshness: BenchEntry = {
  name: 'freshness',
  measures: `publish → visible in Jobs.Get, at ${JOBS_PER_SECOND} jobs/s with all components running`,
  run,
};

const file = (name: string) => join(import.meta.dirname, name);

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  const { nats, postgres } = stack.urls;
  const [projector] = await stack.startAll();
  const measure = async (name: string): Promise<Freshness> => {
    await using _worker = await startTask(file('run-jobs.ts'), { url: nats, name });
    const task: FreshnessTask = {
      url: nats,
      name,
      jobsPerSecond: JOBS_PER_SECOND,
      watched: sizes.freshnessJobs,
      oneIn: ONE_IN,
    };
    const result = await runTask<Freshness>(file('create-and-watch.ts'), task);
    say(
      `${name}: ${shown(result.latencies)}, ${Math.round((result.created / result.ms) * 1_000)} jobs/s, ${result.callsOfAJob.toFixed(1)} calls a job`,
    );
    return result;
  };
  const ours = await measure('projected');
  await projector?.stop();
  await using _bare = await startTask(file('bare-projection.ts'), { nats, postgres });
  const bare = await measure('bare').catch((error: Error) => error);
  const { p50Ms, p99Ms } = ours.latencies;
  return [
    {
      row: 'freshness',
      ours: shown(ours.latencies),
      beside:
        bare instanceof Error
          ? `bare consumer: ${bare.message.split('\n')[0]}`
          : `bare consumer ${shown(bare.latencies)}`,
      ratio: bare instanceof Error ? undefined : p50Ms / bare.latencies.p50Ms,
      goal: `p50 ≤ ${GOAL.p50Ms}, p99 ≤ ${GOAL.p99Ms} ms`,
      verdict: p50Ms <= GOAL.p50Ms && p99Ms <= GOAL.p99Ms ? 'met' : 'missed',
      figures: {
        jobsPerSecond: Math.round((ours.created / ours.ms) * 1_000),
        watched: ours.latencies.count,
        callsOfAJob: ours.callsOfAJob,
        maxMs: ours.latencies.maxMs,
        durability: 'defaults of the servers; both projections commit with synchronous_commit off',
      },
    },
  ];
}
