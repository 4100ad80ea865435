// catch-up: how quickly both pipelines of a freshly started projector drain a backlog, beside the rate at which the engines
// would take the same data raw: consume + parse, then the final rows into Postgres, then the events into ClickHouse.
import { connectNats, provision } from '@trellis/runtime';
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { type BenchStack, startBenchStack } from '../bench-stack.ts';
import { rate } from '../latencies.ts';
import { orderPayload } from '../order-payload.ts';
import { BUSY, fillBacklog, fullySpread, type Spread } from './backlog.ts';
import { drain } from './drain.ts';
import { rawClickHouseInsert, rawConsume, rawPostgresUpsert } from './raw-engines.ts';
import { storedBytes } from './stored-bytes.ts';

const GOAL = 0.9;
export const DURABILITY = 'defaults of the three servers; the projector commits with synchronous_commit off';

export const catchUp: BenchEntry = {
  name: 'catch-up',
  measures: 'both pipelines drain a backlog; beside the raw rate of the three engines, one after the other',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { jobs } = context.sizes;
  const raw = await measureRaw(context);
  const busy = await measure(context, BUSY);
  const spread = await measure(context, fullySpread(jobs));
  const { events } = busy;
  const limitMs = raw.consumeMs + raw.upsertMs + raw.insertMs;
  const rowOf = (name: string, { drained, stored }: Awaited<ReturnType<typeof measure>>) => ({
    row: name,
    ours: rate(events, drained.ms),
    beside: `${rate(events, limitMs)} raw, one after the other`,
    ratio: limitMs / drained.ms,
    figures: {
      events,
      jobs,
      ...rounded(drained),
      ...rounded(raw),
      ...stored,
      payloadBytes: JSON.stringify(orderPayload(0)).length,
      durability: DURABILITY,
    },
  });
  const close = rowOf('catch-up', busy);
  return [
    { ...close, ...atLeast(close.ratio, GOAL) },
    { ...reported, ...rowOf('catch-up: all created, then all started, then all completed', spread) },
  ];
}

interface Raw {
  consumeMs: number;
  upsertMs: number;
  insertMs: number;
}

async function measure(context: BenchContext, spread: Spread) {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  const events = await publishBacklog(stack, sizes.jobs, say, spread);
  const drained = await drain(stack, say);
  return { events, drained, stored: await storedBytes(stack, sizes.jobs) };
}

/** On servers of its own: what they have left to do afterwards (checkpoints, merges) is not to be done while a backlog is drained. */
async function measureRaw(context: BenchContext): Promise<Raw> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context);
  await publishBacklog(stack, sizes.jobs, say);
  const { urls } = stack;
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  const { ms: consumeMs, events } = await rawConsume(nc).finally(() => nc.close());
  say(`raw consume + parse: ${rate(events.length, consumeMs)}`);
  const upsertMs = await rawPostgresUpsert(urls.postgres, events);
  say(`raw upsert of the final rows: ${rate(sizes.jobs, upsertMs)}`);
  const insertMs = await rawClickHouseInsert(urls.clickhouse, events);
  say(`raw insert into ClickHouse: ${rate(events.length, insertMs)}`);
  // So that its compiled code is at hand, as it is wherever it runs for the second time.
  const projector = await stack.start('projector');
  await projector.stop();
  return { consumeMs, upsertMs, insertMs };
}

/** Makes the streams and fills them. @returns the number of events */
export async function publishBacklog(
  { urls }: BenchStack,
  jobs: number,
  say: (line: string) => void,
  spread = BUSY,
): Promise<number> {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  try {
    await provision(nc);
    const started = performance.now();
    const events = await fillBacklog(nc, jobs, spread);
    say(`${events} events of ${jobs} jobs published, ${rate(events, performance.now() - started)}`);
    return events;
  } finally {
    await nc.close();
  }
}

export const rounded = (figures: object): Record<string, number> =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Math.round(Number(value) * 10) / 10]));
