// The rounds that catch-up, memory and rebuild share: the raw engines, a first drain and a drain of emptied stores alternate
// over one backlog, so that a slow moment of the machine affects all. They are measured once per run of the bench.
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connectNats, provision } from '@trellis/nats';
import { openClickHouse } from '@trellis/store-clickhouse';
import { openPostgres } from '@trellis/store-postgres';
import type { BenchContext } from '../bench-entry.ts';
import { type BenchStack, startBenchStack } from '../bench-stack.ts';
import { rate } from '../latencies.ts';
import { usageOf } from '../process-usage.ts';
import { runTask } from '../run-task.ts';
import { BUSY, fillBacklog } from './backlog.ts';
import { type Drained, drain } from './drain.ts';
import type { RawFigures } from './raw-engines.ts';
import { type StoredBytes, storedBytes } from './stored-bytes.ts';

export interface BacklogRound {
  /** Present if this run measures `catch-up`. */
  raw: RawFigures | undefined;
  /** By a projector that starts for the first time. */
  first: Drained;
  /** After both stores were emptied. Present if this run measures `rebuild`. */
  again: Drained | undefined;
}

export interface BacklogFigures {
  events: number;
  /** Memory of an idle projector. */
  idleMb: number;
  stored: StoredBytes;
  rounds: BacklogRound[];
}

const RAW_ENGINES = join(import.meta.dirname, 'raw-engines.ts');
/** A round takes a minute. */
const MOST_ROUNDS = 3;
const PIPELINES_BUCKET = 'JOBS_PIPELINES';

const measured = new WeakMap<BenchContext, Promise<BacklogFigures>>();

/** The rounds of this run. The first entry that calls it measures them, with what the other entries need. */
export function backlogRounds(context: BenchContext): Promise<BacklogFigures> {
  const figures = measured.get(context) ?? measure(context);
  measured.set(context, figures);
  return figures;
}

async function measure(context: BenchContext): Promise<BacklogFigures> {
  const { say, sizes } = context;
  await using nats = await startBenchStack(context, ['nats']);
  const idleMb = await idleMegabytes(context, nats);
  const events = await publishBacklog(nats, sizes.jobs, say);
  const rounds: BacklogRound[] = [];
  let stored: StoredBytes | undefined;
  const most = Math.min(sizes.rounds, MOST_ROUNDS);
  for (let round = 1; round <= most; round++) {
    say(`round ${round} of ${most}`);
    const raw = context.entries.has('catch-up') ? await measureRaw(context, nats) : undefined;
    await forgetProjectors(nats);
    await using stack = await startStores(context, nats);
    const first = await drain(stack, say);
    stored ??= await storedBytes(stack, sizes.jobs);
    let again: Drained | undefined;
    if (context.entries.has('rebuild')) {
      await emptyStores(stack);
      again = await drain(stack, say);
    }
    rounds.push({ raw, first, again });
  }
  if (!stored) throw new Error('no round was measured');
  return { events, idleMb, stored, rounds };
}

/**
 * Both stores get new servers each time: both sides start from the same state, and leftover work of one (checkpoints, merges)
 * does not slow the other.
 */
const startStores = (context: BenchContext, nats: BenchStack) =>
  startBenchStack(context, ['postgres', 'clickhouse'], nats);

/** Measures the second start: the first one fills the compile cache. */
async function idleMegabytes(context: BenchContext, nats: BenchStack): Promise<number> {
  await using stack = await startStores(context, nats);
  const first = await stack.start('projector');
  await first.stop();
  const idle = await stack.start('projector');
  const { residentMb } = usageOf(idle.pid);
  await idle.stop();
  return residentMb;
}

/** In a new process each time, like the projector: this process would be warmed up after the first round. */
async function measureRaw(context: BenchContext, nats: BenchStack): Promise<RawFigures> {
  const { say, sizes } = context;
  await using stores = await startStores(context, nats);
  const raw = await runTask<RawFigures>(RAW_ENGINES, stores.urls);
  const { events, consumeMs, upsertMs, insertMs } = raw;
  say(
    `raw: consume + parse ${rate(events, consumeMs)}, upsert of the final rows ${rate(sizes.jobs, upsertMs)}, ` +
      `insert into ClickHouse ${rate(events, insertMs)}`,
  );
  return raw;
}

/** Creates the streams and fills them. @returns the number of events */
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

/** Drops both projections, as an operator may at any time. */
export async function emptyStores({ urls }: BenchStack): Promise<void> {
  await using postgres = openPostgres({ url: urls.postgres, maxConnections: 1 });
  await postgres.query(`drop schema if exists ${postgres.schema} cascade`);
  await using clickhouse = openClickHouse({ url: urls.clickhouse });
  await clickhouse.ensureDatabase();
  await clickhouse.client.command({ query: `DROP DATABASE ${clickhouse.database} SYNC` });
}

/** Removes everything that earlier projectors left in NATS. */
async function forgetProjectors({ urls }: BenchStack): Promise<void> {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  try {
    const jsm = await jetstreamManager(nc);
    for await (const { name } of jsm.consumers.list('JOBS')) await jsm.consumers.delete('JOBS', name);
    await jsm.streams.delete(`KV_${PIPELINES_BUCKET}`);
  } finally {
    await nc.close();
  }
}
