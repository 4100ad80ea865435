// Combines the statements for a page, its count and its jobs into one statement, for one round trip. page-plan.ts chooses the
// statements for a filter.
import type { JobState } from '@trellis/contracts';
import { bindSql } from './bind-sql.ts';
import {
  countStatement,
  detailedErrorsStatement,
  detailedPageStatement,
  errorMatchesStatement,
  errorsPageStatement,
  errorsWalkStatement,
  hasFixedPlan,
  isDetailed,
  type JobFilter,
  nearStatement,
  type PageWanted,
  pageStatement,
  type Statement,
} from './page-plan.ts';
import { type BoundQuery, textOf } from './read-query.ts';

/** Most log lines shown of one job: the newest. */
export const MAX_LOG_LINES = 1_000;
/** Largest payload, in bytes, that lists show. */
export const LIST_PAYLOAD_BYTES = 4_096;
/** Most characters of the last error that lists show. */
const LIST_ERROR_CHARACTERS = 4_096;
/** Most jobs counted for filters that the counters do not cover. */
export const COUNT_LIMIT = 10_000;
const WHOLE_TEXT = 2_147_483_647;

/** Which bodies to read. Default: payloads up to `LIST_PAYLOAD_BYTES`, no results, no log lines. */
export interface Bodies {
  payload?: boolean;
  result?: boolean;
  logs?: boolean;
}

const bind = ({ query, values }: Statement, bound: unknown[]): string => bindSql(textOf(query), values, bound);

/** A page of jobs known by their ids. */
export function pageOfIds(ids: readonly string[]): BoundQuery {
  const values: unknown[] = [];
  return { text: bind({ query: 'page-of-ids', values: [ids, atLeast(ids.length)] }, values), values, prepared: true };
}

/** The next power of two: few different statement texts, and each tells the planner about how many ids to expect. */
const atLeast = (ids: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, ids)));

/** How a page is read. */
export interface PagePlan {
  page: PageWanted;
  found: Statement;
  counted?: Statement;
  /** Runs before `found` and replaces it when it finds the complete page. */
  near?: Statement | undefined;
  /** The server may keep the plan. */
  prepared: boolean;
}

/** Reads a page together with the number of matching jobs. */
export function countedPlan(filter: JobFilter, page: PageWanted): PagePlan {
  return isDetailed(filter)
    ? { page, found: detailedPageStatement(filter, page, COUNT_LIMIT + 1), prepared: hasFixedPlan(filter, page) }
    : { ...barePlan(filter, page), counted: countStatement(filter) };
}

/** The same for a search with other conditions: examines all jobs that have a matching error. */
export const countedErrorsPlan = (filter: JobFilter, page: PageWanted): PagePlan => ({
  page,
  found: detailedErrorsStatement(filter, page, COUNT_LIMIT + 1),
  prepared: hasFixedPlan(filter, page),
});

export const barePlan = (filter: JobFilter, page: PageWanted): PagePlan => ({
  page,
  near: nearStatement(filter, page),
  found: pageStatement(filter, page),
  prepared: hasFixedPlan(filter, page),
});

/** Reads a page of the jobs whose error contains a text, by merging the jobs of each matching error. */
export const mergedErrorsPlan = (search: string, page: PageWanted): PagePlan => ({
  page,
  found: errorsPageStatement(search, page),
  prepared: hasFixedPlan({ search }, page),
});

/** Reads those of them that are among the next jobs with an error; examines `most` or somewhat more. */
export const nearErrorsPlan = (search: string, page: PageWanted, most: number): PagePlan => ({
  page,
  found: errorsWalkStatement(search, page, atLeast(most)),
  prepared: hasFixedPlan({ search }, page),
});

/** How many errors have a text in them, and how many jobs have these. */
export function errorMatches(search: string): BoundQuery {
  const values: unknown[] = [];
  const text = bind(errorMatchesStatement(search, COUNT_LIMIT + 1), values);
  return { text, values, prepared: true };
}

/** The places of a page, in its order. A counting plan returns at least one row; its id is null when the page is empty. */
export function placesOf(plan: PagePlan): BoundQuery {
  const values: unknown[] = [];
  const text = `${ordered(plan, 'found.id, found.created_at', values)}\norder by place`;
  return { text, values, prepared: plan.prepared };
}

/** Selects `count` (null when the plan does not count), `selected`, and `place` for every job of a page. */
function ordered(plan: PagePlan, selected: string, values: unknown[]): string {
  const { page, found, counted } = plan;
  const direction = page.order === 'newest' ? 'desc' : 'asc';
  const count = isDetailedPage(found) ? 'found.count' : counted ? 'counted.count' : 'null::bigint';
  return `
    select ${count} as count, ${selected},
      row_number() over (order by found.created_at ${direction}, found.id ${direction}) as place
    from ${counted ? `(${bind(counted, values)}) as counted left join lateral ` : ''}(${foundPage(plan, values)}) as found
    ${counted ? 'on true' : ''}`;
}

function foundPage({ page, near, found }: PagePlan, values: unknown[]): string {
  if (!near) return bind(found, values);
  return `
    with near as materialized (${bind(near, values)})
    select id, created_at from near where (select count(*) from near) = ${page.limit}
    union all
    select id, created_at from (${bind(found, values)}) as merged where (select count(*) from near) < ${page.limit}`;
}

/** Whether a statement counts matches and returns the ctid of each row. */
const isDetailedPage = ({ query }: Statement) => query === 'detailed-page' || query === 'detailed-errors';

/** Reads the jobs of a page. */
export function jobsQuery(page: BoundQuery, bodies: Bodies, states?: readonly JobState[]): BoundQuery {
  const { payload = false, result = false, logs = false } = bodies;
  const bound = [...page.values];
  const jobs = bindSql(
    textOf('jobs'),
    [
      states?.length ? states : undefined,
      payload,
      result,
      LIST_PAYLOAD_BYTES,
      payload ? WHOLE_TEXT : LIST_ERROR_CHARACTERS,
      logs ? MAX_LOG_LINES : 0,
    ],
    bound,
  );
  return { text: `with page as (${page.text})\n${jobs}`, values: bound, prepared: page.prepared };
}

/** Values of shown-jobs.sql: which parts of a job are shown. */
const WHOLE = [true, true, 0, WHOLE_TEXT, MAX_LOG_LINES] as const;
const LISTED = [false, false, LIST_PAYLOAD_BYTES, LIST_ERROR_CHARACTERS, 0] as const;

const shownTexts = new Map<string, string>();

/** Whole jobs known by their ids, as JSON; in no order. */
export const shownJobs = (ids: readonly string[]): BoundQuery => shownByIds('whole', WHOLE, [ids]);

/** The same in the short form of lists, without jobs that are not in `states`. */
export const listedJobs = (ids: readonly string[], states?: readonly JobState[]): BoundQuery =>
  states?.length ? shownByIds('in state', LISTED, [ids, states]) : shownByIds('listed', LISTED, [ids]);

function shownByIds(
  kind: string,
  shown: readonly unknown[],
  values: [ids: readonly string[], ...unknown[]],
): BoundQuery {
  const most = atLeast(values[0].length);
  const key = `${kind} ${most}`;
  const text = shownTexts.get(key) ?? shownText(most, shown, values.length > 1);
  shownTexts.set(key, text);
  return { text, values, prepared: true };
}

function shownText(most: number, shown: readonly unknown[], inStates: boolean): string {
  const bound: unknown[] = [];
  const page = bind({ query: 'page-of-ids', values: [[], most] }, bound);
  // A single job: keep the plan as small as possible.
  const found =
    most === 1
      ? 'select null::bigint as count, 1 as place, jobs.* from jobs where id = ($1::text[])[1]'
      : `select page.count, page.place, jobs.* from (${page}) as page join jobs on jobs.id = page.id where true`;
  const jobs = bind({ query: 'shown-jobs', values: [...shown] }, bound);
  return `with found as (${found}${inStates ? ' and state = any ($2::text[])' : ''})\nselect id, json from (${jobs}) as shown`;
}

/** One page as JSON, read with one job more. */
export function shownPage(plan: PagePlan): BoundQuery {
  const values: unknown[] = [];
  const text = `
    with found as (${foundJobs(plan, values)}),
    shown as (${bind({ query: 'shown-jobs', values: [...LISTED] }, values)})
    ${bind({ query: 'shown-page', values: [plan.page.limit - 1] }, values)}`;
  return { text, values, prepared: plan.prepared };
}

function foundJobs(plan: PagePlan, values: unknown[]): string {
  const { query } = plan.found;
  // A walk already reads the rows; merging is cheaper with the ids that an index contains.
  if (query === 'page-newest' || query === 'page-oldest') return ordered(plan, 'found.*', values);
  // Rows with a known ctid are read by it, without a second index lookup.
  const [selected, same] = isDetailedPage(plan.found)
    ? ['found.row_at', 'jobs.ctid = page.row_at']
    : ['found.id', 'jobs.id = page.id'];
  return `select page.count, page.place, jobs.*
    from (${ordered(plan, selected, values)}) as page
    left join jobs on ${same}`;
}
