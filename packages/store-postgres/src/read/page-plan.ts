// Which statement reads a page or a count, and with what values, so that the cost follows the page and not the table.
// Pure; job-reader.ts runs what is decided here.
import { JOB_STATES, type JobState } from '@trellis/contracts';
import type { ReadQuery } from './read-query.ts';

/** What jobs are asked for; a field left out lets everything through. Instants are RFC 3339. */
export interface JobFilter {
  service?: string | undefined;
  type?: string | undefined;
  /** Any of these; empty is the same as none given. */
  states?: readonly JobState[] | undefined;
  /** Updated at or after. */
  since?: string | undefined;
  /** Updated before. */
  until?: string | undefined;
  traceId?: string | undefined;
  requestId?: string | undefined;
  /** Display key of keyed concurrency. */
  key?: string | undefined;
  /** Text within the last error, upper or lower case. */
  search?: string | undefined;
}

export interface PagePlace {
  createdAt: string;
  id: string;
}

export interface PageWanted {
  order: 'newest' | 'oldest';
  limit: number;
  /** The page begins after this job. */
  after?: PagePlace | undefined;
  /** Jobs skipped; 0 with `after`. */
  offset: number;
}

export interface Statement {
  query: ReadQuery;
  values: unknown[];
}

interface Narrowed extends JobFilter {
  states: readonly JobState[] | undefined;
}

const narrow = (filter: JobFilter): Narrowed => {
  const states = [...new Set(filter.states)];
  return { ...filter, states: states.length === 0 || states.length === JOB_STATES.length ? undefined : states };
};

/** Whether more is asked than the counters know (service, type, state). */
export const isDetailed = (filter: JobFilter): boolean =>
  [filter.since, filter.until, filter.traceId, filter.requestId, filter.key, filter.search].some(
    (part) => part !== undefined,
  );

/**
 * No index holds these in the order of the page: several states at once, the commonest one, a type of whatever service or in
 * whatever state, a state of a whole service. Detailed filters have indexes of their own, or are walked.
 */
function needsSlices(filter: Narrowed): boolean {
  if (isDetailed(filter)) return false;
  const { service, type, states } = filter;
  if (states === undefined) return type !== undefined;
  return isMany(states) || (service === undefined) !== (type === undefined);
}

/** Whether an index by state does not hold them in order: there is none of all completed jobs. */
const isMany = (states: readonly JobState[]): boolean => states.length > 1 || states[0] === 'completed';

/** Whether nothing is asked but the text of an error. */
export const isSearch = ({ search, ...others }: JobFilter): boolean =>
  search !== undefined &&
  Object.values({ ...others, states: narrow(others).states }).every((part) => part === undefined);

/**
 * Whether a filter is read the same way whatever its values are, so that the server may keep the plan. How many jobs have a
 * time, or an error and something else, is different each time; offsets are skipped once.
 */
export function hasFixedPlan(filter: JobFilter, { offset }: PageWanted): boolean {
  const { since, until, search } = filter;
  if (since !== undefined || until !== undefined || offset !== 0) return false;
  return search === undefined || isSearch(filter);
}

/** How to read one page of ids in the order of an index. */
export function pageStatement(wanted: JobFilter, page: PageWanted): Statement {
  const filter = narrow(wanted);
  const place = [page.after?.createdAt, page.after?.id, page.limit, page.offset];
  if (needsSlices(filter)) {
    return {
      query: page.order === 'newest' ? 'sliced-page-newest' : 'sliced-page-oldest',
      values: [filter.service, filter.type, filter.states, ...place],
    };
  }
  return {
    query: page.order === 'newest' ? 'page-newest' : 'page-oldest',
    values: [...matchValues(filter), ...place],
  };
}

/** Jobs that are looked at for a page that may be near, before slices are merged: as quick as three slices. */
const NEAR_JOBS = 256;

/** How to read a page nearby that would be merged of the slices of all services, when it may well be there. */
export function nearStatement(wanted: JobFilter, page: PageWanted): Statement | undefined {
  const filter = narrow(wanted);
  const { service, type, states } = filter;
  if (!needsSlices(filter) || service !== undefined || states?.includes('completed') === false) return undefined;
  return {
    query: page.order === 'newest' ? 'near-page-newest' : 'near-page-oldest',
    values: [type, states, page.after?.createdAt, page.after?.id, NEAR_JOBS, page.limit, page.offset],
  };
}

/** How to count what the counters know. */
export function countStatement(wanted: JobFilter): Statement {
  const { service, type, states } = narrow(wanted);
  return { query: 'count', values: [service, type, states] };
}

/** How to read one page together with its count, looking at the newest `among` jobs that match. */
export function detailedPageStatement(wanted: JobFilter, page: PageWanted, among: number): Statement {
  const place = [page.order === 'newest', page.after?.createdAt, page.after?.id, page.limit, page.offset];
  return { query: 'detailed-page', values: [...matchValues(narrow(wanted)), among, ...place] };
}

/** The same of a filter with a search, looking at all jobs that have such an error. */
export const detailedErrorsStatement = (...wanted: Parameters<typeof detailedPageStatement>): Statement => ({
  ...detailedPageStatement(...wanted),
  query: 'detailed-errors',
});

/** How to count the errors with a text in them, and the jobs that have one of these, looking at `among` errors. */
export const errorMatchesStatement = (search: string, among: number): Statement => ({
  query: 'error-matches',
  values: [...errorPattern(search), among],
});

/** How to read one page of jobs whose error has a text in it, error by error. */
export const errorsPageStatement = (search: string, page: PageWanted): Statement => ({
  query: page.order === 'newest' ? 'errors-page-newest' : 'errors-page-oldest',
  values: [...errorPattern(search), page.after?.createdAt, page.after?.id, page.limit, page.offset],
});

/** How to look for it among the next `among` jobs that have an error. */
export const errorsWalkStatement = (search: string, page: PageWanted, among: number): Statement => ({
  query: page.order === 'newest' ? 'errors-walk-newest' : 'errors-walk-oldest',
  values: [toPattern(search), page.after?.createdAt, page.after?.id, among, page.limit, page.offset],
});

/** Without three letters or digits in a row an index of trigrams is read whole, which takes longer than all errors. */
const WITH_TRIGRAM = /[\p{L}\p{N}]{3}/u;

/** $1 and $2 of the statements that look for errors. */
const errorPattern = (search: string): (string | undefined)[] =>
  WITH_TRIGRAM.test(search) ? [toPattern(search), undefined] : [undefined, toPattern(search)];

const toPattern = (search: string): string => `%${search.replace(/[\\%_]/g, '\\$&')}%`;

/** $1 … $10 of the statements that match row by row. One state is compared alone: only then is an index in order. */
function matchValues(filter: Narrowed): unknown[] {
  const one = filter.states === undefined || isMany(filter.states) ? undefined : filter.states[0];
  return [
    filter.service,
    filter.type,
    one,
    one === undefined ? filter.states : undefined,
    filter.since,
    filter.until,
    filter.traceId,
    filter.requestId,
    filter.key,
    filter.search === undefined ? undefined : toPattern(filter.search),
  ];
}
