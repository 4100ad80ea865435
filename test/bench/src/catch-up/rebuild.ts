// rebuild: Postgres and ClickHouse are emptied, then filled again from the stream; compared with the first catch-up of the
// same stream.
import { atLeast, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { median, rate } from '../latencies.ts';
import { backlogRounds } from './backlog-rounds.ts';
import { DURABILITY } from './catch-up.ts';
import { figuresOfRounds } from './round-figures.ts';

const GOAL = 0.9;

export const rebuild: BenchEntry = {
  name: 'rebuild',
  measures: 'both stores emptied and filled again from the stream, beside the first catch-up',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { events, rounds } = await backlogRounds(context);
  const pairs = rounds.flatMap(({ first, again }) => (again ? [{ first, again }] : []));
  const ratios = pairs.map(({ first, again }) => first.ms / again.ms);
  return [
    {
      row: 'rebuild',
      ours: rate(events, median(pairs.map(({ again }) => again.ms))),
      beside: `${rate(events, median(pairs.map(({ first }) => first.ms)))} the first time`,
      ...atLeast(median(ratios), GOAL),
      figures: {
        events,
        jobs: context.sizes.jobs,
        durability: DURABILITY,
        ...figuresOfRounds(
          ratios,
          pairs.map(({ first, again }) => ({ ...again, firstMs: first.ms })),
        ),
      },
    },
  ];
}
