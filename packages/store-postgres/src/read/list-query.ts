// Puts the statements of pages, counts and jobs together, so that whatever is asked is one statement and one round trip.
// Which of them fits a filter is page-plan.ts.
import type { JobState } from '@trellis/contracts';
import { bindSql } from './bind-sql.ts';
import {
  countStatement,
  detailedPageStatement,
  hasFixedPlan,
  isDetailed,
  type JobFilter,
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
export const LIST_ERROR_CHARACTERS = 4_096;
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
  // The next power of two: few texts, and each says about how many ids it is for.
  const most = 2 ** Math.ceil(Math.log2(Math.max(1, ids.length)));
  return { text: bind({ query: 'page-of-ids', values: [ids, most] }, values), values, prepared: true };
}

/** A page in its order, with how many jobs match: at least one row, whose id is null where the page has no job. */
export function countedPage(filter: JobFilter, page: PageWanted): BoundQuery {
  if (isDetailed(filter)) return ordered(filter, page, detailedPageStatement(filter, page, COUNT_LIMIT + 1));
  return ordered(filter, page, pageStatement(filter, page), countStatement(filter));
}

/** A page in its order, its `count` null. */
export const barePage = (filter: JobFilter, page: PageWanted): BoundQuery =>
  ordered(filter, page, pageStatement(filter, page));

function ordered(filter: JobFilter, page: PageWanted, found: Statement, counted?: Statement): BoundQuery {
  const values: unknown[] = [];
  const direction = page.order === 'newest' ? 'desc' : 'asc';
  const count = found.query === 'detailed-page' ? 'count' : counted ? `counted.count` : 'null::bigint';
  const text = `
    select ${count} as count, found.id, found.created_at,
      row_number() over (order by found.created_at ${direction}, found.id ${direction}) as place
    from ${counted ? `(${bind(counted, values)}) as counted left join lateral ` : ''}(${bind(found, values)}) as found
    ${counted ? 'on true' : ''}
    order by place`;
  return { text, values, prepared: hasFixedPlan(filter, page) };
}

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
