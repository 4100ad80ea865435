// rebuild: Postgres and ClickHouse emptied, then filled from the stream by a projector that has been there before, beside
// the first catch-up of the same stream.
import { openClickHouse } from '@trellis/store-clickhouse';
import { openPostgres } from '@trellis/store-postgres';
import { atLeast, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { type BenchStack, startBenchStack } from '../bench-stack.ts';
import { rate } from '../latencies.ts';
import { DURABILITY, publishBacklog, rounded } from './catch-up.ts';
import { drain } from './drain.ts';

const GOAL = 0.9;

export const rebuild: BenchEntry = {
  name: 'rebuild',
  measures: 'both stores emptied and filled again from the stream, beside the first catch-up',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  const events = await publishBacklog(stack, sizes.jobs, say);
  const first = await drain(stack, say);
  await emptyStores(stack);
  const again = await drain(stack, say);
  return [
    {
      row: 'rebuild',
      ours: rate(events, again.ms),
      beside: `${rate(events, first.ms)} the first time`,
      ...atLeast(first.ms / again.ms, GOAL),
      figures: { events, jobs: sizes.jobs, ...rounded(again), firstMs: Math.round(first.ms), durability: DURABILITY },
    },
  ];
}

/** Throws both projections away, as an operator may at any time. */
export async function emptyStores({ urls }: BenchStack): Promise<void> {
  await using postgres = openPostgres({ url: urls.postgres, maxConnections: 1 });
  await postgres.query(`drop schema if exists ${postgres.schema} cascade`);
  await using clickhouse = openClickHouse({ url: urls.clickhouse });
  await clickhouse.ensureDatabase();
  await clickhouse.client.command({ query: `DROP DATABASE ${clickhouse.database} SYNC` });
}
