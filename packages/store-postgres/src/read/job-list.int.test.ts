import type { Job } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import { freshPostgres } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migratePostgres } from '../connection/migrate.ts';
import { openPostgres, type Postgres, type Row } from '../connection/open-postgres.ts';
import { countErrors } from '../testing/count-errors.ts';
import { type ErrorMatches, findPage } from './find-page.ts';
import { JobReader } from './job-reader.ts';
import { errorMatches, type PagePlan, shownPage } from './list-query.ts';
import type { JobFilter, PageWanted } from './page-plan.ts';
import { type BoundQuery, readBound } from './read-query.ts';

/** Half of these jobs failed. */
const COMPLETED = 10_000;
const OPEN = 5_000;
const START = '2026-01-01T00:00:00.000Z';
const at = (row: number) => new Date(Date.parse(START) + row * 1_000).toISOString();

const stack = new AsyncDisposableStack();
let postgres: Postgres;
let reader: JobReader;

beforeAll(async () => {
  const database = stack.use(await freshPostgres());
  postgres = stack.use(openPostgres({ url: database.url }));
  await migratePostgres(postgres);
  reader = new JobReader(postgres);
  await seed(postgres);
});
afterAll(() => stack.disposeAsync());

/** Completed jobs and failed jobs with distinct errors, then thousands of newer pending or active jobs. */
async function seed(into: Postgres): Promise<void> {
  await into.query(
    `insert into jobs (id, service, type, state, tries, max_tries, request_id, trace_id, traceparent, created_at, updated_at,
       last_error, instance_id, payload, payload_bytes, head_missing, handed_back, origin_sequence, origin_at, first_sequence,
       last_sequence)
     select 'job-' || lpad(i::text, 6, '0'), 'service-' || i % 2, 'type-' || i % 3,
       case when i > $1 then (array['pending', 'active'])[1 + i % 2] when i % 2 = 0 then 'failed' else 'completed' end,
       1, 5, 'request-' || i, md5((i / 4)::text), 'tp', at, at,
       case when i <= $1 and i % 2 = 0 then 'provider said 50' || i % 7 || ', reference ' || md5(i::text) end,
       'host-' || i % 4, jsonb_build_object('row', i), 20, false, false, i, at, i, i
     from (select i, $3::timestamptz + i * interval '1 second' as at from generate_series(1, $1::integer + $2) as i) as generated`,
    [COMPLETED, OPEN, START],
  );
  await into.query('insert into job_counts select service, type, state, count(*) from jobs group by 1, 2, 3');
  await countErrors(into);
  await into.query('vacuum analyze');
}

const FILTERS: JobFilter[] = [
  {},
  { service: 'service-1' },
  { type: 'type-2' },
  { service: 'service-1', type: 'type-2' },
  { states: ['completed'] },
  { states: ['failed'] },
  { service: 'service-0', states: ['completed'] },
  { service: 'service-0', type: 'type-0', states: ['failed'] },
  { states: ['completed', 'failed'], type: 'type-1' },
  { states: ['dead'] },
  { search: 'SAID 503' },
  { search: 'no such text' },
  { search: 'SAID 503', service: 'service-0', states: ['failed'], since: at(2_000) },
  { since: at(12_000) },
  { requestId: 'request-77' },
];

const parsed = (jobs: string): Job[] => JSON.parse(`[${jobs}]`);
const idsOf = (jobs: readonly { id: string }[]): string[] => jobs.map(({ id }) => id);

describe('a list in one statement', () => {
  it.for(FILTERS)('%j: has the ids, the jobs and the count of the page', async (filter) => {
    for (const order of ['newest', 'oldest'] as const) {
      for (const after of [undefined, { createdAt: at(7_000), id: '' }]) {
        const wanted: PageWanted = { order, limit: 20, offset: 0, after };
        const { jobs, ...shown } = await reader.shownPage(filter, wanted);
        const { places, more, ...counted } = await reader.page(filter, wanted);
        expect(shown).toEqual({ ...counted, read: places.length, last: more ? places.at(-1) : undefined });
        const listed = await reader.getJobs(idsOf(places), {});
        expect(parsed(jobs)).toEqual(listed.map(toWireJob));
        expect(idsOf(listed)).toEqual(idsOf(places));
      }
    }
  });

  it('marks active jobs whose worker is gone', async () => {
    await postgres.query(
      `insert into workers (service, type, instance_id, status, first_seen_at, last_seen_at, heartbeat_interval_ms)
       select distinct service, type, 'host-1', 'gone', now(), now(), 1000 from jobs
       union all select distinct service, type, 'host-3', 'live', now(), now(), 1000 from jobs`,
    );
    const page = await reader.shownPage({}, { order: 'newest', limit: 200, offset: 0 });
    const jobs = parsed(page.jobs);
    const lost = jobs.filter((job) => job.workerLost).map((job) => job.id);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost).toEqual(
      jobs.filter((job) => job.state === 'active' && job.instanceId === 'host-1').map((job) => job.id),
    );
    const [first = ''] = lost;
    expect((await reader.getJob(first))?.workerLost).toBe(true);
    expect(parsed((await reader.shownJob(first)) ?? '')).toMatchObject([{ id: first, workerLost: true }]);
  });
});

describe('the rows that a page reads do not depend on the size of the table', () => {
  const PAGE = 20;
  /** One page for each slice (two services, three types, four states), then the rows of the page itself. */
  const MOST = 2 * 3 * 4 * PAGE + PAGE;
  const rowsReadBy = async (query: BoundQuery) => {
    const explain = { ...query, text: `explain (analyze, timing off, format json) ${query.text}`, prepared: false };
    const [explained] = await readBound<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(postgres, explain);
    return explained ? rowsRead(explained['QUERY PLAN'][0].Plan) : Number.NaN;
  };
  const cases: [what: string, filter: JobFilter][] = [
    ['completed jobs behind thousands of newer open ones', { states: ['completed'] }],
    [
      'completed jobs of a service behind thousands of newer open ones',
      { service: 'service-1', states: ['completed'] },
    ],
    ['several states', { states: ['completed', 'failed'] }],
    ['a type of any service', { type: 'type-2' }],
    ['a type of a service', { service: 'service-1', type: 'type-2' }],
    ['an error that no job has', { search: 'no such text' }],
    ['an error that one job has', { search: 'reference 98f137082101' }],
    ['an error of a service that one job has', { service: 'service-0', search: 'reference 98f137082101' }],
    ['an error that one in seven jobs has', { search: 'said 503' }],
    ['an error that all jobs have', { search: 'said' }],
    ['two characters that all errors have', { search: '50' }],
  ];
  it.for(cases)('%s', async ([, filter]) => {
    for (const order of ['newest', 'oldest'] as const) {
      let rows = 0;
      const explained = async (query: BoundQuery) => {
        rows += await rowsReadBy(query);
        return readBound<Row>(postgres, query);
      };
      const source = {
        read: async (plan: PagePlan) => (await explained(shownPage(plan)))[0] as { count: number; read: number },
        errorMatches: async (search: string) => (await explained(errorMatches(search)))[0] as unknown as ErrorMatches,
        empty: { count: 0, read: 0 },
      };
      await findPage(source, filter, { order, limit: PAGE, offset: 0 });
      expect(rows).toBeLessThanOrEqual(MOST);
    }
  });
});

interface PlanNode {
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

function rowsRead(plan: PlanNode): number {
  const removed = (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Index Recheck'] ?? 0);
  const own = plan['Relation Name'] === 'jobs' ? (plan['Actual Rows'] + removed) * plan['Actual Loops'] : 0;
  return own + (plan.Plans ?? []).reduce((sum, child) => sum + rowsRead(child), 0);
}
