// catch-up: how quickly both pipelines of a freshly started projector drain a backlog, beside the rate at which the engines
// would take the same data raw: consume + parse, then the final rows into Postgres, then the events into ClickHouse.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack } from '@trellis/devstack';
import { abortable, connectNats, JobStream, provision } from '@trellis/runtime';
import { openClickHouse } from '@trellis/store-clickhouse';
import { openPostgres } from '@trellis/store-postgres';
import { fillBacklog } from './backlog.ts';
import type { BenchContext, BenchEntry, BenchResult } from './bench-entry.ts';
import { rawClickHouseInsert, rawConsume, rawPostgresUpsert } from './raw-engines.ts';

const GOAL = 0.5;
/** Growth of the peak in the second half of the backlog that still counts as flat. */
const FLAT = 1.2;
const root = join(import.meta.dirname, '..', '..', '..');

export const catchUp: BenchEntry = {
  name: 'catch-up',
  measures: 'both pipelines drain a backlog; beside the raw rate of the three engines, one after the other',
  run,
};

async function run({ say, sizes: { jobs } }: BenchContext): Promise<BenchResult[]> {
  const home = mkdtempSync(join(tmpdir(), 'trellis-bench-'));
  const stack = await startStack({ home, log: say });
  const nc = await connectNats({ url: stack.urls.nats, options: stack.urls.natsOptions, name: 'bench' });
  try {
    await provision(nc);
    const filling = performance.now();
    const events = await fillBacklog(nc, jobs);
    say(`${events} events of ${jobs} jobs published in ${seconds(filling)} s`);

    const parsed = await rawConsume(nc);
    say(`raw consume + parse: ${rate(events, parsed.ms)}`);
    const upsertMs = await rawPostgresUpsert(stack.urls.postgres, parsed.events);
    say(`raw upsert of ${jobs} rows: ${rate(jobs, upsertMs)}`);
    const insertMs = await rawClickHouseInsert(stack.urls.clickhouse, parsed.events);
    say(`raw insert into ClickHouse: ${rate(events, insertMs)}`);
    parsed.events.length = 0;
    const limitMs = parsed.ms + upsertMs + insertMs;

    const drained = await drain(stack.urls, events, say);
    const ratio = limitMs / drained.ms;
    return [
      {
        row: 'catch-up',
        ours: rate(events, drained.ms),
        beside: `${rate(events, limitMs)} raw, one after the other`,
        ratio,
        goal: `≥ ${GOAL}`,
        verdict: ratio >= GOAL ? 'met' : 'missed',
        figures: {
          events,
          jobs,
          drainMs: Math.round(drained.ms),
          currentMs: Math.round(drained.currentMs),
          historyMs: Math.round(drained.historyMs),
          projectorCpuSeconds: drained.cpuSeconds,
          consumeParseMs: Math.round(parsed.ms),
          upsertMs: Math.round(upsertMs),
          insertMs: Math.round(insertMs),
          durability: 'defaults of the three servers',
        },
      },
      {
        row: 'catch-up: memory',
        ours: `${drained.peakMb} MB peak`,
        beside: `${drained.halfMb} MB peak half-way`,
        ratio: drained.peakMb / drained.halfMb,
        goal: `≤ ${FLAT}: flat`,
        verdict: drained.peakMb <= FLAT * drained.halfMb ? 'met' : 'missed',
        figures: { peakMb: drained.peakMb, halfMb: drained.halfMb, idleMb: drained.idleMb },
      },
    ];
  } finally {
    await nc.close();
    await stack.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

interface Drained {
  /** From the start of the process until both pipelines have passed the last event. */
  ms: number;
  currentMs: number;
  historyMs: number;
  peakMb: number;
  /** Peak until half of the events were in Postgres. */
  halfMb: number;
  idleMb: number;
  /** Processor time of the projector until then. */
  cpuSeconds: number;
}

async function drain(
  urls: { nats: string; natsOptions: Record<string, unknown>; postgres: string; clickhouse: string },
  events: number,
  say: (line: string) => void,
): Promise<Drained> {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  const { lastSequence } = await (await JobStream.open(nc)).info();
  await nc.close();
  await using postgres = openPostgres({ url: urls.postgres, maxConnections: 1 });
  await using clickhouse = openClickHouse({ url: urls.clickhouse });
  const started = performance.now();
  const projector = spawn(process.execPath, [join(root, 'apps/projector/src/main.ts')], {
    env: {
      PATH: process.env.PATH,
      NATS_URL: urls.nats,
      NATS_OPTIONS: JSON.stringify(urls.natsOptions),
      DATABASE_URL: urls.postgres,
      CLICKHOUSE_URL: urls.clickhouse,
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  try {
    const done = { ms: 0, currentMs: 0, historyMs: 0, peakMb: 0, halfMb: 0, idleMb: 0, cpuSeconds: 0 };
    while (done.currentMs === 0 || done.historyMs === 0) {
      if (projector.exitCode !== null) throw new Error(`the projector ended with ${projector.exitCode}`);
      await abortable(undefined, 50);
      const [current, stored] = await Promise.all([
        done.currentMs > 0 ? lastSequence : positionOf(postgres),
        done.historyMs > 0 ? events : storedEvents(clickhouse),
      ]);
      const now = performance.now() - started;
      done.peakMb = Math.max(done.peakMb, residentMb(projector));
      if (current < lastSequence / 2) done.halfMb = done.peakMb;
      if (current >= lastSequence && done.currentMs === 0) done.currentMs = now;
      if (stored >= events && done.historyMs === 0) done.historyMs = now;
    }
    done.ms = Math.max(done.currentMs, done.historyMs);
    done.cpuSeconds = cpuSeconds(projector);
    say(
      `drained in ${(done.ms / 1000).toFixed(1)} s (Postgres ${(done.currentMs / 1000).toFixed(1)}, ClickHouse ${(done.historyMs / 1000).toFixed(1)}; projector used ${done.cpuSeconds.toFixed(1)} s of processor time)`,
    );
    await abortable(undefined, 5_000);
    done.idleMb = residentMb(projector);
    return done;
  } finally {
    projector.kill('SIGTERM');
    await new Promise<void>((resolve) =>
      projector.exitCode === null ? projector.once('exit', () => resolve()) : resolve(),
    );
  }
}

/** Absent until the projector has migrated. */
async function positionOf(postgres: ReturnType<typeof openPostgres>): Promise<number> {
  try {
    const { rows } = await postgres.query<{ position: number }>(
      `select position from pipelines where name = 'current'`,
    );
    return rows[0]?.position ?? 0;
  } catch {
    return 0;
  }
}

async function storedEvents({ client }: ReturnType<typeof openClickHouse>): Promise<number> {
  try {
    const result = await client.query({ query: 'select count() as stored from events', format: 'JSONEachRow' });
    const [row] = await result.json<{ stored: string | number }>();
    return Number(row?.stored ?? 0);
  } catch {
    return 0;
  }
}

/** Processor time that the process has used so far. */
function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function residentMb(child: ChildProcess): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kb ?? 0) / 1024);
}

const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(1);
const rate = (count: number, ms: number): string => `${(count / ms).toFixed(1)} k/s`;
