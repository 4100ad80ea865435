import { freshPostgres } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migratePostgres } from '../connection/migrate.ts';
import { openPostgres, type Postgres } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';
import { countErrors } from '../testing/count-errors.ts';
import { COUNT_LIMIT, JobReader, LIST_PAYLOAD_BYTES, MAX_LOG_LINES } from './job-reader.ts';
import { detailedPageStatement, isDetailed, type JobFilter, type PageWanted, pageStatement } from './page-plan.ts';
import { StoreUnavailable, textOf } from './read-query.ts';

const ROWS = 20_000;
const SECONDS_BETWEEN = 10;
const START = '2026-01-01T00:00:00.000Z';
const at = (row: number) => new Date(Date.parse(START) + row * SECONDS_BETWEEN * 1000).toISOString();

const stack = new AsyncDisposableStack();
let postgres: Postgres;
let reader: JobReader;
let url: string;

beforeAll(async () => {
  const database = stack.use(await freshPostgres());
  url = database.url;
  postgres = stack.use(openPostgres({ url, settings: { statement_timeout: '20000' } }));
  await migratePostgres(postgres);
  reader = new JobReader(postgres);
  await seed(postgres, ROWS);
});
afterAll(() => stack.disposeAsync());

/** Rows 1 … n, 10 seconds apart: mostly completed, one in 50 dead, one in 40 failed, the newest 20 pending; 5 in 20 share each instant. */
async function seed(into: Postgres, rows: number): Promise<void> {
  await into.query(
    `insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, created_at, updated_at,
       last_error, payload, payload_bytes, result, concurrency, head_missing, handed_back, origin_sequence, origin_at,
       first_sequence, last_sequence)
     select 'job-' || lpad(i::text, 8, '0'), 'service-' || i % 3, 'type-' || i % 4,
       case when i > $1 - 20 then 'pending' when i % 50 = 0 then 'dead' when i % 40 = 1 then 'failed' else 'completed' end,
       1, 5, 'request-' || i, md5((i / 4)::text), '00-' || md5((i / 4)::text) || '-00f067aa0ba902b7-01', at, at,
       case when i % 50 = 0 then 'provider said 50' || i % 7 || '% off_' || i end, jsonb_build_object('row', i), 20, '{"ok": true}',
       case when i % 100 = 0 then jsonb_build_object('key', 'key:' || i % 1000, 'keyHash', 'h') end, false, false, i, at, i, i
     from (
       select i, $2::timestamptz + (i / 5 * 5) * $3 * interval '1 second' as at from generate_series(1, $1::integer) as i
     ) as generated`,
    [rows, START, SECONDS_BETWEEN],
  );
  await into.query('insert into job_counts select service, type, state, count(*) from jobs group by 1, 2, 3');
  await countErrors(into);
  await into.query('analyze');
}

async function allIds(
  filter: JobFilter,
  wanted: Omit<PageWanted, 'offset'>,
  between?: (page: number) => Promise<void>,
): Promise<string[]> {
  const ids: string[] = [];
  for (let { after } = wanted, number = 1; ; number++) {
    const { places, more } = await reader.page(filter, { ...wanted, after, offset: 0 });
    ids.push(...places.map((place) => place.id));
    after = places.at(-1);
    if (!more) return ids;
    await between?.(number);
  }
}

const idsBySql = async (where: string, order = 'created_at desc, id desc'): Promise<string[]> =>
  (await postgres.query<{ id: string }>(`select id from jobs where ${where} order by ${order}`)).rows.map(
    ({ id }) => id,
  );

const FILTERS: [JobFilter, where: string][] = [
  [{}, 'true'],
  [{ service: 'service-1' }, `service = 'service-1'`],
  [{ type: 'type-2' }, `type = 'type-2'`],
  [{ service: 'service-1', type: 'type-2' }, `service = 'service-1' and type = 'type-2'`],
  [{ states: ['dead'] }, `state = 'dead'`],
  [{ states: ['completed'] }, `state = 'completed'`],
  [{ states: ['dead', 'failed', 'pending'] }, `state in ('dead', 'failed', 'pending')`],
  [{ states: ['completed', 'dead'], type: 'type-1' }, `state in ('completed', 'dead') and type = 'type-1'`],
  [{ service: 'service-2', states: ['failed'] }, `service = 'service-2' and state = 'failed'`],
  [{ since: at(19_000) }, `updated_at >= '${at(19_000)}'`],
  [
    { since: at(9_000), until: at(9_100), states: ['completed', 'dead'] },
    `updated_at >= '${at(9_000)}' and updated_at < '${at(9_100)}' and state in ('completed', 'dead')`,
  ],
  [{ since: at(5_000) }, `updated_at >= '${at(5_000)}'`],
  [{ requestId: 'request-77' }, `request_id = 'request-77'`],
  [{ key: 'key:300' }, `concurrency ->> 'key' = 'key:300'`],
  [{ search: 'SAID 503% off_' }, `last_error like '%said 503\\% off\\_%'`],
  [{ states: ['stale'] }, 'false'],
  [{ service: 'nobody' }, 'false'],
];

describe('pages', () => {
  it.for(FILTERS)(
    '%j: are complete, in order and without duplicates, newest first and oldest first',
    async ([filter, where]) => {
      const expected = await idsBySql(where);
      expect(await allIds(filter, { order: 'newest', limit: 997 })).toEqual(expected);
      expect(await allIds(filter, { order: 'oldest', limit: 997 })).toEqual(expected.toReversed());
    },
  );

  it.for([{}, { type: 'type-2' }] as JobFilter[])('%j: an offset skips that number of jobs', async (filter) => {
    const all = await allIds(filter, { order: 'newest', limit: 1_000 });
    const { places, more } = await reader.page(filter, { order: 'newest', limit: 10, offset: 1_005 });
    expect(places.map((place) => place.id)).toEqual(all.slice(1_005, 1_015));
    expect(more).toBe(true);
    const last = await reader.page(filter, { order: 'newest', limit: 10, offset: all.length - 3 });
    expect([last.places.length, last.more]).toEqual([3, false]);
  });

  it('by cursor have no duplicates and no gaps while jobs are created', async () => {
    await using other = await freshPostgres();
    await using own = openPostgres({ url: other.url });
    await migratePostgres(own);
    const ownReader = new JobReader(own);
    const insert = (id: string, createdAt: string) =>
      own.query(
        `insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, created_at, updated_at,
           payload, payload_bytes, head_missing, handed_back, origin_sequence, origin_at, first_sequence, last_sequence)
         values ($1, 's', 't', 'pending', 0, 5, '', '', '', $2, $2, '{}', 2, false, false, 1, $2, 1, 1)`,
        [id, createdAt],
      );
    for (let i = 0; i < 30; i++) await insert(`old-${i}`, at(i));
    const seen: string[] = [];
    let after: PageWanted['after'];
    for (let more = true, i = 0; more; i++) {
      const page = await ownReader.page({}, { order: 'newest', limit: 7, offset: 0, after });
      seen.push(...page.places.map((place) => place.id));
      after = page.places.at(-1);
      more = page.more;
      for (let j = 0; j < 7; j++) await insert(`new-${i}-${j}`, at(1_000 + i));
    }
    expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `old-${29 - i}`));
  });

  it.for([
    ...FILTERS.map(([filter]) => filter),
    { traceId: 'c4ca4238a0b923820dcc509a6f75849b' },
    { states: ['dead'], service: 'service-1', type: 'type-2' },
  ] as JobFilter[])('%j: read no more rows than a few pages have', async (filter) => {
    // job-list.int.test.ts covers searches.
    if (filter.search !== undefined) return;
    const slices = 3 * 4 * 4;
    for (const after of [undefined, { createdAt: at(10_000), id: 'x' }]) {
      for (const order of ['newest', 'oldest'] as const) {
        const page = { order, limit: 20, offset: 0, after };
        const { query, values } = isDetailed(filter)
          ? detailedPageStatement(filter, page, 500)
          : pageStatement(filter, page);
        const { rows } = await postgres.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `explain (analyze, timing off, format json) ${textOf(query)}`,
          values,
        );
        const [explained] = rows;
        const read = explained ? rowsRead(explained['QUERY PLAN'][0].Plan) : 0;
        expect(read, JSON.stringify(explained)).toBeLessThanOrEqual(slices * 20 + 1_000);
      }
    }
  });
});

interface PlanNode {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

function rowsRead(plan: PlanNode): number {
  const own =
    plan['Relation Name'] === 'jobs'
      ? ((plan['Actual Rows'] ?? 0) + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']
      : 0;
  return own + (plan.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0);
}

describe('counts', () => {
  const count = async (from: JobReader, filter: JobFilter) => {
    const { count, countAtLeast } = await from.page(filter, { order: 'newest', limit: 1, offset: 0 });
    return { count, countAtLeast };
  };

  it.for(FILTERS)('%j', async ([filter, where]) => {
    const { rows } = await postgres.query<{ count: number }>(`select count(*) as count from jobs where ${where}`);
    const exact = rows[0]?.count ?? 0;
    const bounded = filter.since !== undefined && exact > COUNT_LIMIT;
    expect(await count(reader, filter)).toEqual({ count: bounded ? COUNT_LIMIT : exact, countAtLeast: bounded });
  });

  it('are returned with an empty page too', async () => {
    const after = { createdAt: at(-1), id: '' };
    const page = await reader.page({ search: 'provider' }, { order: 'newest', limit: 5, offset: 0, after });
    expect(page).toEqual({ places: [], more: false, count: 400, countAtLeast: false });
  });

  it('are read from the counters only', async () => {
    await using other = await freshPostgres();
    await using own = openPostgres({ url: other.url });
    await migratePostgres(own);
    await own.query(`insert into job_counts values ('s', 't', 'dead', 3), ('s', 'u', 'dead', 9007199254740990)`);
    expect(await count(new JobReader(own), { states: ['dead'], type: 't' })).toEqual({ count: 3, countAtLeast: false });
  });
});

describe('bodies', () => {
  const id = 'with-bodies';
  // A separate database: the other tests count the jobs in theirs.
  let own: Postgres;
  let bodies: JobReader;
  beforeAll(async () => {
    const database = stack.use(await freshPostgres());
    own = stack.use(openPostgres({ url: database.url }));
    await migratePostgres(own);
    bodies = new JobReader(own);
    await seed(own, 2);
    await own.query(
      `insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, tracestate, created_at, updated_at,
         started_at, deadline, last_error, payload, payload_bytes, result, progress, concurrency, queue_policy, head_missing, handed_back,
         origin_sequence, origin_at, first_sequence, last_sequence)
       values ($1, 'bodies', 't', 'failed', 2, 5, 'r', 't', 'tp', 'a=b', $2, $2, $2, $2, $3, $4, $5, 'null', '{"current": 1}',
         '{"key": "k", "keyHash": "h", "slotToken": "secret"}', '{"outcome": "accepted"}', false, true, 4, $2, 4, 9)`,
      [id, at(5), 'e'.repeat(10_000), JSON.stringify({ text: 'x'.repeat(5_000) }), 5_011],
    );
    for (let line = 0; line < MAX_LOG_LINES + 5; line++) {
      await own.query(`insert into job_logs values ($1, $2, $3, $4, 'info', $5)`, [
        id,
        Math.floor(line / 2),
        line % 2,
        at(line),
        `line ${line}`,
      ]);
    }
  });

  it('are complete for one job: payload, result, error, and the newest log lines in order', async () => {
    const job = await bodies.getJob(id);
    expect(job).toMatchObject({
      id,
      service: 'bodies',
      context: { requestId: 'r', traceId: 't', traceparent: 'tp', tracestate: 'a=b' },
      payload: { text: 'x'.repeat(5_000) },
      result: null,
      createdAt: at(5),
      startedAt: at(5),
      deadline: at(5),
      completedAt: undefined,
      lastError: 'e'.repeat(10_000),
      handedBack: true,
      originSequence: 4,
      lastSequence: 9,
    });
    expect(job?.logs).toHaveLength(MAX_LOG_LINES);
    expect(job?.logs[0]).toEqual({ timestamp: at(5), level: 'info', message: 'line 5' });
    expect(job?.logs.at(-1)?.message).toBe(`line ${MAX_LOG_LINES + 4}`);
  });

  it('are cut in lists: a large payload shows its size, a long error its start', async () => {
    const [job] = await bodies.getJobs([id], {});
    expect(job).toMatchObject({ payload: { $omitted: 5_011 }, result: undefined, logs: [] });
    expect(job?.lastError).toBe(`${'e'.repeat(4_096)}…`);
    const [small] = await bodies.getJobs(['job-00000001'], {});
    expect(small?.payload).toEqual({ row: 1 });
    expect(5_011).toBeGreaterThan(LIST_PAYLOAD_BYTES);
  });

  it('are in lists when requested, each separately', async () => {
    const ids = ['job-00000002', id, 'gone', 'job-00000001'];
    const jobs = await bodies.getJobs(ids, { payload: true });
    expect(jobs.map((job) => job.id)).toEqual(['job-00000002', id, 'job-00000001']);
    expect(jobs[1]).toMatchObject({ payload: { text: 'x'.repeat(5_000) }, result: undefined, logs: [] });
    expect((await bodies.getJobs(ids, { result: true }))[0]).toMatchObject({ result: { ok: true } });
    expect((await bodies.getJobs(ids, { logs: true })).map((job) => job.logs.length)).toEqual([0, MAX_LOG_LINES, 0]);
  });

  it('of a job that is no longer in the requested states are left out', async () => {
    expect((await bodies.getJobs([id, 'job-00000001'], {}, ['failed', 'pending'])).map((job) => job.id)).toEqual([
      id,
      'job-00000001',
    ]);
    expect(await bodies.getJobs([id], {}, ['pending', 'dead'])).toEqual([]);
  });

  it('of a job that does not exist are undefined', async () => {
    expect(await bodies.getJob('nobody')).toBeUndefined();
  });
});

describe('the hashes of a key', () => {
  it('are those of the jobs of one queue, each once', async () => {
    const insert = (id: string, service: string, keyHash: string) =>
      postgres.query(
        `insert into jobs select (jsonb_populate_record(jobs, jsonb_build_object(
           'id', $1::text, 'service', $2::text, 'concurrency', jsonb_build_object('key', 'alike', 'keyHash', $3::text)))).*
         from jobs where id = 'job-00000001'`,
        [id, service, keyHash],
      );
    await insert('alike-1', 'keyed', 'hash-b');
    await insert('alike-2', 'keyed', 'hash-a');
    await insert('alike-3', 'keyed', 'hash-a');
    await insert('alike-4', 'another', 'hash-c');
    expect(await reader.keyHashes('keyed', 'type-1', 'alike')).toEqual(['hash-a', 'hash-b']);
    expect(await reader.keyHashes('another', 'type-1', 'alike')).toEqual(['hash-c']);
    expect(await reader.keyHashes('keyed', 'type-2', 'alike')).toEqual([]);
    await postgres.query(`delete from jobs where id like 'alike-%'`);
  });

  it('are found by an index', async () => {
    const { rows } = await postgres.query<{ 'QUERY PLAN': string }>(`explain ${sqlFile('read/key-hashes')}`, [
      'service-0',
      'type-0',
      'key:0',
      COUNT_LIMIT,
    ]);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toContain('jobs_of_key');
  });
});

describe('the state of the projection', () => {
  it('has the checkpoint of each pipeline and whether its lease is held', async () => {
    await postgres.query(
      `insert into pipelines (name, epoch, owner, lease_until, position, position_stored_at)
       values ('current', 1, 'a', now() + interval '1 minute', 9007199254740990, $1), ('other', 1, 'b', now() - interval '1 second', 5, null)`,
      [at(1)],
    );
    expect(await reader.pipelines()).toEqual([
      {
        name: 'current',
        position: 9_007_199_254_740_990,
        storedAt: at(1),
        storedMsAgo: expect.any(Number),
        owned: true,
      },
      { name: 'other', position: 5, storedAt: undefined, storedMsAgo: undefined, owned: false },
    ]);
    expect(await reader.position('current')).toBe(9_007_199_254_740_990);
    expect(await reader.position('nobody')).toBeUndefined();
  });

  it('has the number of quarantined messages, and of recent ones', async () => {
    expect(await reader.quarantineSize(60_000)).toEqual({ size: 0, recent: 0 });
    const insert = (sequence: number, age: string) =>
      postgres.query(
        `insert into quarantine (stream_created, sequence, stored_at, subject, code, reason, body, quarantined_at)
         values ($1, $2, $1, 's', 'not-json', 'r', '', now() - $3::interval)`,
        [START, sequence, age],
      );
    await insert(1, '1 hour');
    await insert(2, '1 second');
    expect(await reader.quarantineSize(60_000)).toEqual({ size: 2, recent: 1 });
  });
});

describe('a store that cannot answer', () => {
  it('is unavailable when nothing listens', async () => {
    await using nobody = openPostgres({ url: 'postgres://user:hunter2@127.0.0.1:1/jobs' });
    const error = await new JobReader(nobody).getJob('x').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(String(error)).not.toMatch(/hunter2|127\.0\.0\.1|select/);
  });

  it('is unavailable before its tables are created', async () => {
    await using empty = await freshPostgres();
    await using own = openPostgres({ url: empty.url });
    await expect(new JobReader(own).page({}, { order: 'newest', limit: 1, offset: 0 })).rejects.toThrow(
      /no tables yet/,
    );
  });

  it('is unavailable when a query takes too long', async () => {
    await using hurried = openPostgres({ url, settings: { statement_timeout: '1' } });
    await expect(
      new JobReader(hurried).page({ since: at(5_000) }, { order: 'newest', limit: 1, offset: 0 }),
    ).rejects.toThrow(/took too long/);
  });
});
