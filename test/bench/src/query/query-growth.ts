// query growth: the same queries to two gateways in alternation, one with a small table and one with a large one.
import { join } from 'node:path';
import { startNatsServer } from '@trellis/devstack';
import { atMost, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { Latencies } from '../latencies.ts';
import { fillJobTable } from './job-table.ts';
import { type OpenGateway, openGateway } from './open-gateway.ts';
import { named, shown, timed } from './query.ts';

const GOAL = 1.5;
const TURNS = 100;
/** Slow queries are repeated fewer times. */
const BUDGET_MS = 5_000;
const FEWEST_TURNS = 3;

export const queryGrowth: BenchEntry = {
  name: 'query-growth',
  measures: 'Get, List and counts over a large table, beside the same over a small one',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context, ['nats', 'postgres']);
  await using natsOfLarge = await startNatsServer({ storeDir: join(stack.home, 'nats-of-large') });
  const { postgres } = stack.urls;
  for (const [schema, jobs] of [
    ['bench_small', sizes.tableJobs],
    ['bench_large', sizes.largeTableJobs],
  ] as const) {
    const started = performance.now();
    await fillJobTable(postgres, schema, jobs);
    say(`${jobs} jobs written to a table in ${((performance.now() - started) / 1_000).toFixed(0)} s`);
  }
  await using small = await openGateway(stack, 'bench_small');
  await using large = await openGateway(stack, 'bench_large', natsOfLarge.url);

  const results: BenchResult[] = [];
  for (const [index, { name }] of small.queries.entries()) {
    const times = { small: new Latencies(), large: new Latencies() };
    const ask = (gateway: OpenGateway, turn: number) =>
      timed(async () => gateway.queries[index]?.ask(gateway.client, turn));
    // The first one reads from disk, the others from memory.
    await ask(large, 0);
    const turns = Math.max(FEWEST_TURNS, Math.min(TURNS, Math.floor(BUDGET_MS / (await ask(large, 0)))));
    for (let turn = -Math.ceil(turns / 5); turn < turns; turn++) {
      const [ofSmall, ofLarge] = [await ask(small, Math.abs(turn)), await ask(large, Math.abs(turn))];
      // Warm-up; not counted.
      if (turn < 0) continue;
      times.small.add(ofSmall);
      times.large.add(ofLarge);
    }
    const [ours, beside] = [times.large.figures, times.small.figures];
    say(`${name}: ${shown(ours)}, small table ${shown(beside)}`);
    results.push({
      row: `query growth: ${name}`,
      ours: `${shown(ours)} at ${sizes.largeTableJobs} jobs`,
      beside: `${shown(beside)} at ${sizes.tableJobs}`,
      ...atMost(ours.p50Ms / beside.p50Ms, GOAL),
      figures: { turns: ours.count, ...named('large', times.large), ...named('small', times.small) },
    });
  }
  return results;
}
