// freshness: the time from the publish of a job until Jobs.Get answers from the projection, at a steady rate with all
// components running; compared with a bare consumer instead of the projector.
import { join } from 'node:path';
import type { BenchContext, BenchEntry, BenchResult } from '../bench-entry.ts';
import { ALL_COMPONENTS, startBenchStack } from '../bench-stack.ts';
import { cpuSecondsOfTree } from '../process-usage.ts';
import { shown } from '../query/query.ts';
import { runTask, startTask } from '../run-task.ts';
import type { Freshness, FreshnessTask } from './create-and-watch.ts';

const JOBS_PER_SECOND = 300;
/** Watching costs more than running a job, so only one job in ten is watched. */
const ONE_IN = 10;
const GOAL = { p50Ms: 25, p99Ms: 150 };

export const freshness: BenchEntry = {
  name: 'freshness',
  measures: `publish → visible in Jobs.Get, at ${JOBS_PER_SECOND} jobs/s with all components running`,
  run,
};

interface Measured extends Freshness {
  /** Share of a core that each process used. */
  cores: string;
}

const cpuSeconds = (pids: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOfTree(pid)]));

const shownCores = (cores: Record<string, string>): string =>
  Object.entries(cores)
    .map(([name, share]) => `${name} ${share}`)
    .join(', ');

const file = (name: string) => join(import.meta.dirname, name);

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  const { nats, postgres } = stack.urls;
  const components = await stack.startAll();
  const pids = { ...stack.pids, ...Object.fromEntries(components.map(({ pid }, at) => [ALL_COMPONENTS[at], pid])) };
  const measure = async (name: string, beside: Record<string, number>): Promise<Measured> => {
    await using worker = await startTask(file('run-jobs.ts'), { url: nats, name });
    const task: FreshnessTask = {
      url: nats,
      name,
      jobsPerSecond: JOBS_PER_SECOND,
      watched: sizes.freshnessJobs,
      oneIn: ONE_IN,
    };
    const before = cpuSeconds({ ...beside, worker: worker.pid });
    const result = await runTask<Freshness>(file('create-and-watch.ts'), task);
    const cpu = cpuSeconds({ ...beside, worker: worker.pid });
    const perSecond = (used: number) => `${((used / result.ms) * 100_000).toFixed(0)} %`;
    const cores: Record<string, string> = { 'who creates and asks': perSecond(result.cpuSeconds) };
    for (const [process, used] of Object.entries(cpu)) cores[process] = perSecond(used - (before[process] ?? 0));
    say(
      `${name}: ${shown(result.latencies)}, ${Math.round((result.created / result.ms) * 1_000)} jobs/s, ${result.callsOfAJob.toFixed(1)} calls a job`,
    );
    say(`${name}: ${shownCores(cores)}`);
    return { ...result, cores: shownCores(cores) };
  };
  const ours = await measure('projected', pids);
  const [projector] = components;
  await projector?.stop();
  await using bareProcess = await startTask(file('bare-projection.ts'), { nats, postgres });
  const bare = await measure('bare', { ...pids, projector: bareProcess.pid }).catch((error: Error) => error);
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
        cores: ours.cores,
        coresWithBareConsumer: bare instanceof Error ? '' : bare.cores,
        durability: 'defaults of the servers; both projections commit with synchronous_commit off',
      },
    },
  ];
}
