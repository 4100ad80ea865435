// history: disk space of ten million events and latency of dashboard queries, compared with a raw table of the same events.
// ClickHouse generates the events, so that the materialized views run as in production.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import { sleep } from '@trellis/async';
import { JournalStore, migrateClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { atLeast, type BenchContext, type BenchEntry, type BenchResult, reported } from '../bench-entry.ts';
import { startBenchStack } from '../bench-stack.ts';
import { median, rate } from '../latencies.ts';
import { timed } from '../query/query.ts';
import { dashboardQuestions, type Question } from './questions.ts';
import { type AnswerRow, firstDifference } from './same-answers.ts';

const GOAL_BYTES = 40;
const GOAL_QUICKER = 20;
const GOAL_MS = 1_000;
const EVENTS_OF_A_JOB = 5;
const BLOCK = 500_000;
/** Number of jobs between a job's creation and its last event; as in generate-events.sql. */
const LONGEST_LAG = 100;
/** The events are spread over the time until now, so that the queries cover all of them. */
const SPAN_MS = 20 * 3_600_000;
const TIMES = 9;
const REQUEST_TIMEOUT_MS = 300_000;
/**
 * Bytes in the ids of a job that no codec can compress: 10 random bytes each in the ULIDs of job and request, 16 in the trace id,
 * 8 in the parent span, and 8 in the span of each attempt.
 */
const ENTROPY_OF_A_JOB = 10 + 10 + 16 + 8;
const ENTROPY_OF_AN_ATTEMPT = 8;

const GENERATE = readFileSync(join(import.meta.dirname, 'generate-events.sql'), 'utf8');
const RAW_TABLE = readFileSync(join(import.meta.dirname, 'raw-table.sql'), 'utf8');

export const history: BenchEntry = {
  name: 'history',
  measures: 'bytes of an event on disk, and the questions of dashboards beside a raw table',
  run,
};

async function run(context: BenchContext): Promise<BenchResult[]> {
  const { say, sizes } = context;
  await using stack = await startBenchStack(context, ['clickhouse']);
  await using clickhouse = openClickHouse({ url: stack.urls.clickhouse, requestTimeoutMs: REQUEST_TIMEOUT_MS });
  await migrateClickHouse(clickhouse);
  const { client } = clickhouse;
  const begin = Date.now() - SPAN_MS;
  await new JournalStore(clickhouse).beginGeneration(1, new Date(begin).toISOString(), 'bench');
  await generate(client, Math.ceil(sizes.events / EVENTS_OF_A_JOB), begin, say);
  await merged(client);
  const size = await sizeOnDisk(client);
  say(`${JSON.stringify(size)}`);
  const rawMs = await timed(() => client.command({ query: RAW_TABLE }));
  say(`the raw table was filled at ${rate(size.events, rawMs)}`);
  await merged(client);

  const rows: BenchResult[] = [sizeRow(size)];
  const asked = askedOverHttp(stack.urls.clickhouse, clickhouse.database);
  for (const question of dashboardQuestions()) rows.push(await ask(asked, question, say));
  return rows;
}

async function generate(
  client: ClickHouseClient,
  jobs: number,
  begin: number,
  say: (line: string) => void,
): Promise<void> {
  const messages = (jobs + LONGEST_LAG) * EVENTS_OF_A_JOB;
  const started = performance.now();
  for (let from = 0; from < messages; from += BLOCK) {
    await client.command({
      query: GENERATE,
      query_params: {
        from,
        count: Math.min(BLOCK, messages - from),
        jobs,
        begin,
        stepMs: SPAN_MS / (jobs + LONGEST_LAG),
      },
      // One block per insert, like the projector.
      clickhouse_settings: {
        max_block_size: String(BLOCK),
        min_insert_block_size_rows: String(BLOCK),
        min_insert_block_size_bytes: '0',
        max_threads: 1,
      },
    });
    say(`${Math.min(from + BLOCK, messages)} events, ${rate(from + BLOCK, performance.now() - started)}`);
  }
}

const MERGE_LOOK_MS = 500;
const MERGE_LONGEST_MS = 90_000;

/** Waits until the server has finished its own merges. */
async function merged(client: ClickHouseClient): Promise<void> {
  const until = performance.now() + MERGE_LONGEST_MS;
  for (let quiet = 0; quiet < 3 && performance.now() < until; ) {
    await sleep(MERGE_LOOK_MS);
    const [row] = await rowsOf<{ merges: string }>(client, 'SELECT count() AS merges FROM system.merges');
    quiet = Number(row?.merges) === 0 ? quiet + 1 : 0;
  }
}

interface SizeOnDisk {
  events: number;
  attempts: number;
  /** Bytes of the whole history, of the journal, and of payloads. */
  all: number;
  journal: number;
  payloads: number;
  payloadsPlain: number;
}

async function sizeOnDisk(client: ClickHouseClient): Promise<SizeOnDisk> {
  const [row] = await rowsOf<Record<keyof SizeOnDisk, string>>(
    client,
    `SELECT
      (SELECT count() FROM journal) AS events,
      (SELECT countIf(event_type = 'started') FROM journal) AS attempts,
      sum(bytes_on_disk) AS all,
      sumIf(bytes_on_disk, table = 'journal') AS journal,
      (SELECT sum(data_compressed_bytes) FROM system.columns WHERE database = currentDatabase() AND table = 'journal' AND name = 'payload') AS payloads,
      (SELECT sum(length(payload)) FROM journal) AS payloadsPlain
    FROM system.parts WHERE active AND database = currentDatabase()`,
  );
  if (!row) throw new Error('ClickHouse returned no sizes');
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])) as unknown as SizeOnDisk;
}

function sizeRow({ events, attempts, all, journal, payloads, payloadsPlain }: SizeOnDisk): BenchResult {
  const jobs = events / EVENTS_OF_A_JOB;
  const entropy = (jobs * ENTROPY_OF_A_JOB + attempts * ENTROPY_OF_AN_ATTEMPT) / events;
  const over = all / events - entropy;
  const bytes = (value: number) => value.toFixed(1);
  return {
    row: 'history: bytes on disk of an event',
    ours: `${bytes(all / events)} B (journal ${bytes(journal / events)}), ${bytes(over)} over the ids`,
    beside: `${bytes(entropy)} B of randomness in ids`,
    ratio: undefined,
    goal: `≤ ${GOAL_BYTES} B over the ids`,
    verdict: over <= GOAL_BYTES ? 'met' : 'missed',
    figures: {
      events,
      eventsOfAJob: EVENTS_OF_A_JOB,
      entropy: 'of a job 10 B each in job and request id, 16 B trace, 8 B span; 8 B in the span of an attempt',
      bytesOfAnEvent: bytes(all / events),
      bytesOfAnEventInTheJournal: bytes(journal / events),
      bytesOfIds: bytes(entropy),
      payloadBytes: bytes(payloadsPlain / jobs),
      payloadBytesCompressed: bytes(payloads / jobs),
    },
  };
}

type Ask = (query: string) => Promise<AnswerRow[]>;

/** Over plain HTTP, like dashboards. The client library waits for a timer of 2 ms before each request. */
function askedOverHttp(address: string, database: string): Ask {
  const url = new URL('/', address);
  url.searchParams.set('database', database);
  url.searchParams.set('default_format', 'JSONEachRow');
  const { username, password } = new URL(address);
  const headers = {
    'X-ClickHouse-User': decodeURIComponent(username),
    'X-ClickHouse-Key': decodeURIComponent(password),
  };
  url.username = url.password = '';
  return async (query) => {
    const response = await fetch(url, { method: 'POST', headers, body: query });
    const text = await response.text();
    if (!response.ok) throw new Error(`ClickHouse refuses the query: ${text}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line): AnswerRow => JSON.parse(line));
  };
}

async function ask(asked: Ask, { name, ours, raw }: Question, say: (line: string) => void): Promise<BenchResult> {
  const times = { ours: [] as number[], raw: [] as number[] };
  const run = (sql: string) => timed(() => asked(sql));
  // The first run reads files that are not in memory yet.
  const difference = firstDifference(await asked(ours), await asked(raw));
  if (difference !== undefined) say(`${name}: the raw table has another result: ${difference}`);
  for (let time = 0; time < TIMES; time++) {
    times.ours.push(await run(ours));
    if (time === 0 || median(times.raw) < GOAL_MS) times.raw.push(await run(raw));
  }
  const [oursMs, rawMs] = [median(times.ours), median(times.raw)];
  say(`${name} ${oursMs.toFixed(0)} ms, raw ${rawMs.toFixed(0)} ms`);
  const quicker = atLeast(rawMs / oursMs, GOAL_QUICKER);
  return {
    row: `history: ${name}`,
    ours: `${oursMs.toFixed(0)} ms`,
    beside: `${rawMs.toFixed(0)} ms raw`,
    ...reported,
    ...quicker,
    goal: `${quicker.goal} quicker, ≤ 1 s`,
    verdict: oursMs <= GOAL_MS ? quicker.verdict : 'missed',
    figures: {
      oursMs: Math.round(oursMs),
      oursLongestMs: Math.round(Math.max(...times.ours)),
      rawMs: Math.round(rawMs),
      sameAnswers: difference ?? 'yes',
    },
  };
}

async function rowsOf<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  const result = await client.query({ query, format: 'JSONEachRow' });
  return result.json<Row>();
}
