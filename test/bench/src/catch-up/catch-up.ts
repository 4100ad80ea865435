// catch-up: the rate at which both pipelines of a newly started projector drain a backlog, compared with the raw rate of the
// engines for the same data: consume + parse, then the final rows into Postgres, then the events into ClickHouse.
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { median, rate } from '../latencies.ts';
import { orderPayload } from '../order-payload.ts';
import { fullySpread } from './backlog.ts';
import { type BacklogRound, backlogRounds, publishBacklog } from './backlog-rounds.ts';
import { drain } from './drain.ts';
import { asFigures, figuresOfRounds } from './round-figures.ts';
import { storedBytes } from './stored-bytes.ts';

const GOAL = 0.9;
export const DURABILITY = 'defaults of the three servers; the projector commits with synchronous_commit off';

export const catchUp: BenchEntry = {
  name: 'catch-up',
  measures: 'both pipelines drain a backlog; beside the raw rate of the three engines, one after another',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { jobs } = context.sizes;
  const { events, stored, rounds } = await backlogRounds(context);
  const spread = await drainFullySpread(context);
  const limitMs = median(rounds.map(rawMs));
  const common = {
    beside: `${rate(events, limitMs)} raw, one after the other`,
    figures: { events, jobs, payloadBytes: JSON.stringify(orderPayload(0)).length, durability: DURABILITY },
  };
  const ratios = rounds.map((round) => rawMs(round) / round.first.ms);
  return [
    {
      row: 'catch-up',
      ours: rate(events, median(rounds.map(({ first }) => first.ms))),
      beside: common.beside,
      ...atLeast(median(ratios), GOAL),
      figures: {
        ...common.figures,
        ...stored,
        ...figuresOfRounds(
          ratios,
          rounds.map(({ raw, first }) => ({ ...raw, ...first })),
        ),
      },
    },
    {
      row: 'catch-up: all created, then all started, then all completed',
      ours: rate(events, spread.drained.ms),
      beside: common.beside,
      ...reported,
      ratio: limitMs / spread.drained.ms,
      figures: { ...common.figures, ...spread.stored, ...asFigures(spread.drained), rawMs: Math.round(limitMs) },
    },
  ];
}

function rawMs({ raw }: BacklogRound): number {
  if (!raw) throw new Error('the raw engines were not measured');
  return raw.consumeMs + raw.upsertMs + raw.insertMs;
}

async function drainFullySpread(context: BenchContext) {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  await publishBacklog(stack, sizes.jobs, say, fullySpread(sizes.jobs));
  return { drained: await drain(stack, say), stored: await storedBytes(stack, sizes.jobs) };
}
