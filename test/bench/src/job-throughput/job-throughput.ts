// job throughput: create jobs, then run them with an empty handler; compared with BullMQ and graphile-worker with the same
// payload, concurrency and calls in flight. The systems alternate, so that a slow moment of the machine affects all.
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { median, rate } from '../latencies.ts';
import { orderPayload } from '../order-payload.ts';
import type { SystemName } from './job-system.ts';
import { measureRound, ROUND_SETTINGS, type RoundFigures, runPhase } from './measure-system.ts';
import { REDIS_DURABILITY, startRedis } from './redis-server.ts';
import { messagesOfJobs } from './trellis-system.ts';

const PROCESS_GOAL = 0.8;
const CREATE_GOAL = 1;
const EVENTS_OF_A_JOB = 3;

export const jobThroughput: BenchEntry = {
  name: 'job-throughput',
  measures: 'create → run → completed, beside BullMQ and graphile-worker',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  const jobs = sizes.throughputJobs;
  await using stack = await startBenchStack(context);
  await using cleanup = new AsyncDisposableStack();
  const redis = await startRedis(stack.home, context).catch((error: Error) => error);
  if (!(redis instanceof Error)) cleanup.defer(() => redis.server.stop());
  const urls: Partial<Record<SystemName, string>> = {
    trellis: stack.urls.nats,
    ...(redis instanceof Error ? {} : { bullmq: redis.url }),
    'graphile-worker': stack.urls.postgres,
  };

  const rounds: Record<SystemName, RoundFigures[]> = { trellis: [], bullmq: [], 'graphile-worker': [] };
  for (let round = 1; round <= sizes.rounds; round++) {
    for (const [system, url] of Object.entries(urls) as [SystemName, string][]) {
      // Only reported, and its single additions are slow.
      if (system === 'graphile-worker' && round > 1) continue;
      const figures = await measureRound({ system, url, name: `bench-${round}`, jobs, keys: 0 });
      rounds[system].push(figures);
      say(`round ${round}, ${system}: create ${rate(jobs, figures.createMs)}, run ${rate(jobs, figures.processMs)}`);
    }
  }
  const stored = await messagesOfJobs(stack.urls.nats);
  const expected = sizes.rounds * jobs * EVENTS_OF_A_JOB;
  if (stored !== expected) throw new Error(`JOBS holds ${stored} messages, not ${expected}: not the full history`);

  const rows: BenchResult[] = [];
  if (redis instanceof Error) {
    const row = { ours: rate(jobs, median(rounds.trellis.map(({ processMs }) => processMs))), beside: redis.message };
    rows.push({ row: 'job throughput: run', ...row, ...reported, verdict: 'not measured', figures: {} });
  } else {
    const bulk = await runPhase({ system: 'bullmq', url: redis.url, name: 'bench-bulk', jobs, keys: 0 }, 'create-bulk');
    rows.push(
      compare('job throughput: run', 'processMs', rounds, 'bullmq', jobs, PROCESS_GOAL),
      compare('job throughput: create', 'createMs', rounds, 'bullmq', jobs, CREATE_GOAL, {
        addBulk: rate(jobs, bulk.ms),
      }),
    );
  }
  rows.push(
    compare('job throughput: run, graphile-worker', 'processMs', rounds, 'graphile-worker', jobs),
    compare('job throughput: create, graphile-worker', 'createMs', rounds, 'graphile-worker', jobs),
    await withEverythingRunning(),
  );
  return rows;

  async function withEverythingRunning(): Promise<BenchResult> {
    await stack.startAll();
    const figures = await measureRound({ system: 'trellis', url: stack.urls.nats, name: 'bench-all', jobs, keys: 0 });
    return {
      row: 'job throughput: run, all components running',
      ours: `${rate(jobs, figures.processMs)}, create ${rate(jobs, figures.createMs)}`,
      beside: 'the projector writes both stores meanwhile',
      ...reported,
      figures: flat(figures),
    };
  }
}

/** The median over the rounds of their time ÷ our time; above 1 ours is faster. */
function compare(
  row: string,
  phase: 'createMs' | 'processMs',
  rounds: Record<SystemName, RoundFigures[]>,
  other: SystemName,
  jobs: number,
  goal?: number,
  more: Record<string, string> = {},
): BenchResult {
  const ratios = rounds[other].map((beside, index) => beside[phase] / (rounds.trellis[index]?.[phase] ?? Number.NaN));
  const ratio = median(ratios);
  const middle = (system: SystemName) => rate(jobs, median(rounds[system].map((one) => one[phase])));
  const extra = Object.entries(more).map(([name, value]) => `, ${name} ${value}`);
  return {
    row,
    ours: middle('trellis'),
    beside: `${other} ${middle(other)}${extra.join('')}`,
    ...(goal === undefined ? { ...reported, ratio } : atLeast(ratio, goal)),
    figures: {
      jobs,
      rounds: ratios.length,
      ratios: ratios.map((one) => one.toFixed(2)).join(' '),
      ...ROUND_SETTINGS,
      payloadBytes: JSON.stringify(orderPayload(0)).length,
      durability: `nats: file storage, default sync interval; postgres: defaults; ${REDIS_DURABILITY}`,
      ...Object.fromEntries(
        Object.entries({ ours: rounds.trellis, beside: rounds[other] }).flatMap(([side, all]) => {
          const figures = all.toSorted((a, b) => a[phase] - b[phase])[Math.floor((all.length - 1) / 2)];
          return figures ? Object.entries(flat(figures)).map(([name, value]) => [`${side}.${name}`, value]) : [];
        }),
      ),
    },
  };
}

export function flat({ createLatencies, ...rest }: RoundFigures): Record<string, number> {
  const rounded = Object.entries(rest).map(([name, value]) => [name, Math.round(value * 100) / 100]);
  return {
    ...Object.fromEntries(rounded),
    ...(createLatencies && { createP50Ms: createLatencies.p50Ms, createP99Ms: createLatencies.p99Ms }),
  };
}
