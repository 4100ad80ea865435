// presence: heartbeats of many workers at a steady rate. Measures whether the aggregator keeps up, the statements per flush,
// and its cost compared with a process that only consumes and parses.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@trellis/async';
import { openPostgres, type Postgres } from '@trellis/store-postgres';
import { atMost, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { type BenchStack, startBenchStack } from '../bench-stack.ts';
import { usageOf } from '../process-usage.ts';
import { runTask, startTask } from '../run-task.ts';
import type { HeartbeatsSent, HeartbeatsTask } from './send-heartbeats.ts';

const WORKERS = 5_000;
const PER_SECOND = 10_000;
/** Below this share of the wanted rate the sender is the limit, and the measurement is not valid. */
const SENT_AT_LEAST = 0.95;
/** Time from the last heartbeat until every worker's row is up to date: a flush, its write, and 1 s for messages in transit. */
const KEEPS_UP_MS = 2_000;
const GOAL_STATEMENTS = 2;
const GIVE_UP_MS = 60_000;
const APPLICATION = 'trellis-heartbeat-aggregator';
const ENTRY = '@@';

export const presence: BenchEntry = {
  name: 'presence',
  measures: `${PER_SECOND} heartbeats a second of ${WORKERS} workers, beside only consuming them`,
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context, ['nats', 'postgres']);
  const { urls } = stack;
  const aggregator = await stack.start('heartbeat-aggregator');
  await using postgres = openPostgres({ url: urls.postgres, maxConnections: 1 });
  const task: HeartbeatsTask = { url: urls.nats, workers: WORKERS, perSecond: PER_SECOND, seconds: sizes.seconds };
  const sendAll = () => runTask<HeartbeatsSent>(join(import.meta.dirname, 'send-heartbeats.ts'), task);
  // Create the rows first, as in a system that has been running.
  await runTask(join(import.meta.dirname, 'send-heartbeats.ts'), { ...task, seconds: 1 });

  const statements = await countStatements(stack, postgres);
  const before = usageOf(aggregator.pid);
  const sent = await sendAll();
  const used = usageOf(aggregator.pid);
  const caughtUpMs = await untilAllSeen(postgres, sent.lastRoundAt);
  const { all, flushes } = statements.read();
  say(
    `all workers were up to date ${Math.round(caughtUpMs)} ms after the last heartbeat; ${all} statements in ${flushes} flushes`,
  );
  await aggregator.stop();

  await using raw = await startTask(join(import.meta.dirname, 'consume-heartbeats.ts'), { url: urls.nats });
  const rawBefore = usageOf(raw.pid);
  await sendAll();
  const rawUsed = usageOf(raw.pid);

  const rate = (sent.sent / sent.ms) * 1_000;
  if (rate < PER_SECOND * SENT_AT_LEAST) throw new Error(`only ${Math.round(rate)} heartbeats a second could be sent`);
  const ours = (used.cpuSeconds - before.cpuSeconds) / sizes.seconds;
  const beside = (rawUsed.cpuSeconds - rawBefore.cpuSeconds) / sizes.seconds;
  const figures = {
    workers: WORKERS,
    perSecond: Math.round(rate),
    seconds: sizes.seconds,
    peakMb: used.peakMb,
    statements: all,
    flushes,
  };
  return [
    {
      row: 'presence: keeps up',
      ours: `right ${Math.round(caughtUpMs)} ms after the last of ${Math.round(rate)} heartbeats/s`,
      beside: `${WORKERS} workers`,
      ratio: undefined,
      goal: `≤ ${KEEPS_UP_MS} ms`,
      verdict: caughtUpMs <= KEEPS_UP_MS ? 'met' : 'missed',
      figures,
    },
    {
      row: 'presence: statements of a flush',
      ours: `${all} in ${flushes} flushes`,
      beside: '',
      ...atMost(all / flushes, GOAL_STATEMENTS),
      figures,
    },
    {
      row: 'presence: processor time',
      ours: `${(ours * 100).toFixed(0)} % of a core, ${used.residentMb} MB`,
      beside: `${(beside * 100).toFixed(0)} % only to consume and parse`,
      ...reported,
      ratio: ours / beside,
      figures,
    },
  ];
}

async function untilAllSeen(postgres: Postgres, since: number): Promise<number> {
  const started = performance.now();
  while (performance.now() - started < GIVE_UP_MS) {
    const { rows } = await postgres.query<{ seen: number }>(
      `select count(*) as seen from workers where last_seen_at >= $1`,
      [new Date(since).toISOString()],
    );
    if ((rows[0]?.seen ?? 0) >= WORKERS) return performance.now() - started;
    await sleep(20);
  }
  throw new Error(`the aggregator has not seen every worker after ${GIVE_UP_MS / 1_000} s`);
}

/** Makes the server log every statement, and counts those of the aggregator. */
async function countStatements({ logs }: BenchStack, postgres: Postgres) {
  // Statements have several lines: the prefix marks the start of the next entry.
  const settings = { log_line_prefix: `'${ENTRY}%a '`, log_statement: `'all'`, log_parameter_max_length: '0' };
  for (const [name, value] of Object.entries(settings)) await postgres.query(`alter system set ${name} = ${value}`);
  await postgres.query('select pg_reload_conf()');
  const said = () =>
    readFileSync(join(logs, 'postgres.log'), 'utf8')
      .split(ENTRY)
      .filter((entry) => entry.startsWith(APPLICATION) && /execute|statement/.test(entry));
  // Connections apply the new settings at their next statement.
  await sleep(1_000);
  const from = said().length;
  return {
    read(): { all: number; flushes: number } {
      const all = said().slice(from);
      const flushes = all.filter((entry) => /insert into workers/i.test(entry)).length;
      if (flushes === 0) throw new Error('the server has logged no statement that writes workers');
      return { all: all.length, flushes };
    },
  };
}
