// query: the queries of operators through the gateway, compared with the best SQL for the same page plus a NATS round trip.
// The three alternate, one call at a time, so that a slow moment of the machine affects all.
import { atMost, type BenchContext, type BenchEntry, type BenchResult } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { Latencies, type LatencyFigures } from '../latencies.ts';
import { fillJobTable } from './job-table.ts';
import type { ListQuery } from './list-queries.ts';
import { type OpenGateway, openGateway } from './open-gateway.ts';

const GOAL_OF_SQL = 2;
/** Warm-up: new processes compile their code during this time. */
const WARM_UP_MS = 3_000;
const WARM_UPS = 20;
const TURNS = 200;

export const query: BenchEntry = {
  name: 'query',
  measures: `Get, List and counts, beside ${GOAL_OF_SQL} × the best SQL for the same page and a round trip over NATS with a reply of the same length`,
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context, ['nats', 'postgres']);
  const schema = 'bench_query';
  await fillJobTable(stack.urls.postgres, schema, sizes.tableJobs);
  say(`${sizes.tableJobs} jobs written to the table`);
  await using gateway = await openGateway(stack, schema);
  await warmUp(gateway);
  const results: BenchResult[] = [];
  for (const one of gateway.queries) results.push(await measure(gateway, one, sizes.tableJobs, say));
  return results;
}

/** Measures everything in alternation. */
async function warmUp({ queries, client, sql, echo }: OpenGateway): Promise<void> {
  const until = performance.now() + WARM_UP_MS;
  for (let turn = 0; performance.now() < until; turn++) {
    for (const one of queries) {
      const reply = await one.ask(client, turn);
      await sql(one, turn);
      await echo(JSON.stringify(reply).length);
    }
  }
}

async function measure(
  gateway: OpenGateway,
  one: ListQuery,
  tableJobs: number,
  say: (line: string) => void,
): Promise<BenchResult> {
  const [ours, sql, echo] = [new Latencies(), new Latencies(), new Latencies()];
  const bytes = JSON.stringify(await one.ask(gateway.client, 0)).length;
  for (let turn = 0; turn < WARM_UPS + TURNS; turn++) {
    const times = [
      await timed(() => one.ask(gateway.client, turn)),
      await timed(() => gateway.sql(one, turn)),
      await timed(() => gateway.echo(bytes)),
    ];
    if (turn < WARM_UPS) continue;
    for (const [index, latencies] of [ours, sql, echo].entries()) latencies.add(times[index] ?? 0);
  }
  const limitMs = GOAL_OF_SQL * sql.figures.p50Ms + echo.figures.p50Ms;
  say(`${one.name}: ${shown(ours.figures)}, SQL ${shown(sql.figures)}, NATS ${shown(echo.figures)}`);
  return {
    row: `query: ${one.name}`,
    ours: shown(ours.figures),
    beside: `SQL ${shown(sql.figures)}, NATS ${shown(echo.figures)}`,
    ...atMost(ours.figures.p50Ms / limitMs, 1),
    goal: `≤ ${GOAL_OF_SQL} × SQL + NATS`,
    figures: {
      tableJobs,
      turns: TURNS,
      replyBytes: bytes,
      ...named('ours', ours),
      ...named('sql', sql),
      ...named('nats', echo),
    },
  };
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

export const shown = ({ p50Ms, p99Ms }: LatencyFigures): string => `p50 ${p50Ms.toFixed(2)} p99 ${p99Ms.toFixed(2)} ms`;

export const named = (name: string, { figures }: Latencies): Record<string, number> => ({
  [`${name}.p50Ms`]: figures.p50Ms,
  [`${name}.p99Ms`]: figures.p99Ms,
});
