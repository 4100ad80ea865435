// Measures how long a newly started projector takes until both stores contain every event of the stream.
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { sleep } from '@trellis/async';
import { connectNats, JobStream } from '@trellis/nats';
import { type ClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { openPostgres, type Postgres } from '@trellis/store-postgres';
import type { BenchStack } from '../bench-stack.ts';
import { cpuSecondsOfTree, usageOf } from '../process-usage.ts';

const LOOK_MS = 100;
const STALLED_MS = 60_000;

export interface Drained {
  /** From the first request for messages until both pipelines have passed the last event. */
  ms: number;
  currentMs: number;
  historyMs: number;
  /** From the start of the process until its first request for messages: loading code, creating tables. */
  startMs: number;
  /** Maximum resident memory of the projector, and its processor time. */
  peakMb: number;
  cpuSeconds: number;
  /** Processor time that the servers used meanwhile. */
  natsCpuSeconds: number;
  postgresCpuSeconds: number;
  clickhouseCpuSeconds: number;
}

/** Starts a projector, waits until it has drained the stream, and stops it. */
export async function drain(stack: BenchStack, say: (line: string) => void): Promise<Drained> {
  await using nats = await openNats(stack);
  const { lastSequence, messages } = await (await JobStream.open(nats.nc)).info();
  await using postgres = openPostgres({ url: stack.urls.postgres, maxConnections: 1 });
  await using clickhouse = openClickHouse({ url: stack.urls.clickhouse });
  const used = (server: string) => cpuSecondsOfTree(stack.pids[server] ?? 0);
  const before = { nats: used('nats'), postgres: used('postgres'), clickhouse: used('clickhouse') };
  const started = Date.now();
  const [projector, times] = await Promise.all([
    stack.start('projector'),
    untilStored({ nc: nats.nc, postgres, clickhouse, lastSequence, messages, started }),
  ]);
  const { peakMb, cpuSeconds } = usageOf(projector.pid);
  const servers = {
    natsCpuSeconds: used('nats') - before.nats,
    postgresCpuSeconds: used('postgres') - before.postgres,
    clickhouseCpuSeconds: used('clickhouse') - before.clickhouse,
  };
  await projector.stop();
  const drained = { ...times, ms: Math.max(times.currentMs, times.historyMs), peakMb, cpuSeconds, ...servers };
  const seconds = (ms: number) => (ms / 1_000).toFixed(1);
  say(
    `${messages} events drained in ${seconds(drained.ms)} s (Postgres ${seconds(drained.currentMs)}, ClickHouse ` +
      `${seconds(drained.historyMs)}, after a start of ${seconds(drained.startMs)} s; the projector had at most ${peakMb} MB; processor time: projector ${cpuSeconds.toFixed(1)} s, ` +
      `Postgres ${servers.postgresCpuSeconds.toFixed(1)}, ClickHouse ${servers.clickhouseCpuSeconds.toFixed(1)}, NATS ${servers.natsCpuSeconds.toFixed(1)})`,
  );
  return drained;
}

async function openNats({ urls }: BenchStack): Promise<AsyncDisposable & { nc: NatsConnection }> {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  return { nc, [Symbol.asyncDispose]: () => nc.close() };
}

interface Watched {
  nc: NatsConnection;
  postgres: Postgres;
  clickhouse: ClickHouse;
  lastSequence: number;
  messages: number;
  started: number;
}

async function untilStored(watched: Watched): Promise<Pick<Drained, 'startMs' | 'currentMs' | 'historyMs'>> {
  const { nc, postgres, clickhouse, lastSequence, messages, started } = watched;
  let reading: number | undefined;
  let [currentAt, historyAt] = [0, 0];
  let [seen, seenAt] = [0, Date.now()];
  while (currentAt === 0 || historyAt === 0) {
    await sleep(LOOK_MS);
    reading ??= await readingSince(nc, started);
    const [position, stored] = await Promise.all([positionOf(postgres), storedRows(clickhouse)]);
    const now = Date.now();
    if (position >= lastSequence) currentAt ||= now;
    if (stored >= messages) historyAt ||= now;
    if (position + stored !== seen) [seen, seenAt] = [position + stored, now];
    if (now - seenAt > STALLED_MS)
      throw new Error(`the projector makes no progress at ${position} and ${stored} of ${messages}`);
  }
  if (reading === undefined) throw new Error('the projector drained the stream, but no consumer was seen');
  return { startMs: reading - started, currentMs: currentAt - reading, historyMs: historyAt - reading };
}

/** Creation time of the oldest consumer. The projector creates its own again at every start. */
async function readingSince(nc: NatsConnection, since: number): Promise<number | undefined> {
  const made: number[] = [];
  for await (const { created } of (await jetstreamManager(nc)).consumers.list('JOBS')) made.push(Date.parse(created));
  const own = made.filter((at) => at >= since);
  return own.length > 0 ? Math.min(...own) : undefined;
}

/** 0 until the projector has created its tables. */
async function positionOf(postgres: Postgres): Promise<number> {
  const { rows: tables } = await postgres.query<{ there: boolean }>(
    `select to_regclass('pipelines') is not null as there`,
  );
  if (!tables[0]?.there) return 0;
  const { rows } = await postgres.query<{ position: number }>(`select position from pipelines where name = 'current'`);
  return rows[0]?.position ?? 0;
}

/** Reads the row counts of the parts, not the rows, so that polling costs the server nothing. */
async function storedRows({ client, database }: ClickHouse): Promise<number> {
  const result = await client
    .query({
      query: `select sum(rows) as stored from system.parts where active and database = {database: String} and table = 'journal'`,
      query_params: { database },
      format: 'JSONEachRow',
    })
    // The database does not exist until the projector has created it.
    .catch(() => undefined);
  const [row] = (await result?.json<{ stored: string | number }>()) ?? [];
  return Number(row?.stored ?? 0);
}
