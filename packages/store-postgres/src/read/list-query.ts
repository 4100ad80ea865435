// Combines the statements for a page, its count and its jobs into one statement and one round trip.
// Which of them fits a filter is page-plan.ts.
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

/** Log lines shown of one job: the newest. */
export const MAX_LOG_LINES = 1_000;
/** Bytes up to which lists show a payload. */
export const LIST_PAYLOAD_BYTES = 4_096;
/** Characters of the last error that lists show. */
const LIST_ERROR_CHARACTERS = 4_096;
/** How far filters are counted that the counters do not know. */
export const COUNT_LIMIT = 10_000;
const WHOLE_TEXT = 2_147_483_647;

/** Which bodies to read; left out, a list has payloads up to `LIST_PAYLOAD_BYTES` and nothing else. */
export interface Bodies {
  payload?: boolean;
  result?: boolean;
  logs?: boolean;
}

const bind = ({ query, values }: Statement, bound: unknown[]): string => bindSql(textOf(query), values, bound);

/** A page of jobs that are known by their ids. */
export function pageOfIds(ids: readonly string[]): BoundQuery {
  const values: unknown[] = [];
  return { text: bind({ query: 'page-of-ids', values: [ids, atLeast(ids.length)] }, values), values, prepared: true };
}

/** The next power of two: few texts, and each says about how many ids it is for. */
const atLeast = (ids: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, ids)));

/** How a page is read. */
export interface PagePlan {
  page: PageWanted;
  found: Statement;
  counted?: Statement;
  /** Comes before `found` and stands for it when it finds the whole page. */
  near?: Statement | undefined;
  /** The server may keep the plan. */
  prepared: boolean;
}

/** With how many jobs match. */
export function countedPlan(filter: JobFilter, page: PageWanted): PagePlan {
  return isDetailed(filter)
    ? { page, found: detailedPageStatement(filter, page, COUNT_LIMIT + 1), prepared: hasFixedPlan(filter, page) }
    : { ...barePlan(filter, page), counted: countStatement(filter) };
}

/** The same for a search and something else, looking at all jobs that have such an error. */
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

/** The jobs that have an error with a text in it. */
export const mergedErrorsPlan = (search: string, page: PageWanted): PagePlan => ({
  page,
  found: errorsPageStatement(search, page),
  prepared: hasFixedPlan({ search }, page),
});

/** Those of them that are among the next `most` with an error, or some more. */
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

/** A page in its order. With a count there is at least one row, whose id is null where the page has no job. */
export function placesOf(plan: PagePlan): BoundQuery {
  const values: unknown[] = [];
  const text = `${ordered(plan, 'found.id, found.created_at', values)}\norder by place`;
  return { text, values, prepared: plan.prepared };
}

/** `count` (null where it is not asked for) and `place` of every job of a page, beside what is selected of it. */
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

/** Whether a statement counts, and says where rows lie. */
const isDetailedPage = ({ query }: Statement) => query === 'detailed-page' || query === 'detailed-errors';

/** The jobs of a page. */
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

/** What is shown of a job: values of read-shown-jobs.sql. */
const WHOLE = [true, true, 0, WHOLE_TEXT, MAX_LOG_LINES] as const;
const LISTED = [false, false, LIST_PAYLOAD_BYTES, LIST_ERROR_CHARACTERS, 0] as const;

const shownTexts = new Map<string, string>();

/** Whole jobs that are known by their ids, as they are shown; in no order. */
export const shownJobs = (ids: readonly string[]): BoundQuery => shownByIds('whole', WHOLE, [ids]);

/** The same as lists show them, without those that have left `states`. */
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
  // One job alone: the plan should have as few nodes as possible.
  const found =
    most === 1
      ? 'select null::bigint as count, 1 as place, jobs.* from jobs where id = ($1::text[])[1]'
      : `select page.count, page.place, jobs.* from (${page}) as page join jobs on jobs.id = page.id where true`;
  const jobs = bind({ query: 'shown-jobs', values: [...shown] }, bound);
  return `with found as (${found}${inStates ? ' and state = any ($2::text[])' : ''})\nselect id, json from (${jobs}) as shown`;
}

/** One page as it is shown, read with one job more. */
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
  // A walk has the rows in its hands; what is merged is cheaper by the ids that an index has.
  if (query === 'page-newest' || query === 'page-oldest') return ordered(plan, 'found.*', values);
  // What was found by its rows is read again where it lies, without another walk down an index.
  const [selected, same] = isDetailedPage(plan.found)
    ? ['found.row_at', 'jobs.ctid = page.row_at']
    : ['found.id', 'jobs.id = page.id'];
  return `select page.count, page.place, jobs.*
    from (${ordered(plan, selected, values)}) as page
    left join jobs on ${same}`;
}
