// Chooses the statement and values that read a page or a count, so that the cost depends on the page and not on the table.
// Pure; job-reader.ts runs the statements.
import { JOB_STATES, type JobState } from '@trellis/contracts';
import type { ReadQuery } from './read-query.ts';

/** Which jobs are wanted; an absent field matches all jobs. Instants are RFC 3339. */
export interface JobFilter {
  service?: string | undefined;
  type?: string | undefined;
  /** Any of these; an empty list matches all states. */
  states?: readonly JobState[] | undefined;
  /** Updated at or after. */
  since?: string | undefined;
  /** Updated before. */
  until?: string | undefined;
  traceId?: string | undefined;
  requestId?: string | undefined;
  /** Display key of keyed concurrency. */
  key?: string | undefined;
  /** Text within the last error, ignoring case. */
  search?: string | undefined;
}

export interface PagePlace {
  createdAt: string;
  id: string;
}

export interface PageWanted {
  order: 'newest' | 'oldest';
  limit: number;
  /** The page starts after this job. */
  after?: PagePlace | undefined;
  /** Number of jobs to skip; 0 with `after`. */
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

/** Whether the filter has more than the counters cover (service, type, state). */
export const isDetailed = (filter: JobFilter): boolean =>
  [filter.since, filter.until, filter.traceId, filter.requestId, filter.key, filter.search].some(
    (part) => part !== undefined,
  );

/**
 * Whether no index has the jobs in the order of the page: several states, the state `completed`, a type without a service or
 * without a state, a state of a whole service. Detailed filters have their own indexes, or are walked.
 */
function needsSlices(filter: Narrowed): boolean {
  if (isDetailed(filter)) return false;
  const { service, type, states } = filter;
  if (states === undefined) return type !== undefined;
  return isMany(states) || (service === undefined) !== (type === undefined);
}

/** Whether no index has the jobs of these states in order: several states, or `completed`. */
const isMany = (states: readonly JobState[]): boolean => states.length > 1 || states[0] === 'completed';

/** Whether the filter has nothing but the text of an error. */
export const isSearch = ({ search, ...others }: JobFilter): boolean =>
  search !== undefined &&
  Object.values({ ...others, states: narrow(others).states }).every((part) => part === undefined);

/**
 * Whether one plan fits all values of a filter, so that the server may keep it. The selectivity of a time, or of an error with
 * other conditions, differs with each request; a page with an offset is read once.
 */
export function hasFixedPlan(filter: JobFilter, { offset }: PageWanted): boolean {
  const { since, until, search } = filter;
  if (since !== undefined || until !== undefined || offset !== 0) return false;
  return search === undefined || isSearch(filter);
}

/** Reads one page of ids in the order of an index. */
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

/** Jobs examined for a page nearby before slices are merged; costs as much as three slices. */
const NEAR_JOBS = 256;

/** Searches nearby for a page that would otherwise merge the slices of all services; undefined when it is unlikely to be there. */
export function nearStatement(wanted: JobFilter, page: PageWanted): Statement | undefined {
  const filter = narrow(wanted);
  const { service, type, states } = filter;
  if (!needsSlices(filter) || service !== undefined || states?.includes('completed') === false) return undefined;
  return {
    query: page.order === 'newest' ? 'near-page-newest' : 'near-page-oldest',
    values: [type, states, page.after?.createdAt, page.after?.id, NEAR_JOBS, page.limit, page.offset],
  };
}

/** Reads the number of jobs from the counters. */
export function countStatement(wanted: JobFilter): Statement {
  const { service, type, states } = narrow(wanted);
  return { query: 'count', values: [service, type, states] };
}

/** Reads one page together with its count; examines the newest `among` matching jobs. */
export function detailedPageStatement(wanted: JobFilter, page: PageWanted, among: number): Statement {
  const place = [page.order === 'newest', page.after?.createdAt, page.after?.id, page.limit, page.offset];
  return { query: 'detailed-page', values: [...matchValues(narrow(wanted)), among, ...place] };
}

/** The same for a filter with a search: examines all jobs that have a matching error. */
export const detailedErrorsStatement = (...wanted: Parameters<typeof detailedPageStatement>): Statement => ({
  ...detailedPageStatement(...wanted),
  query: 'detailed-errors',
});

/** Counts the errors that contain a text, up to `among`, and the jobs that have one of these errors. */
export const errorMatchesStatement = (search: string, among: number): Statement => ({
  query: 'error-matches',
  values: [...errorPattern(search), among],
});

/** Reads one page of jobs whose error contains a text, merging the jobs of each such error. */
export const errorsPageStatement = (search: string, page: PageWanted): Statement => ({
  query: page.order === 'newest' ? 'errors-page-newest' : 'errors-page-oldest',
  values: [...errorPattern(search), page.after?.createdAt, page.after?.id, page.limit, page.offset],
});

/** Searches for that page among the next `among` jobs that have an error. */
export const errorsWalkStatement = (search: string, page: PageWanted, among: number): Statement => ({
  query: page.order === 'newest' ? 'errors-walk-newest' : 'errors-walk-oldest',
  values: [toPattern(search), page.after?.createdAt, page.after?.id, among, page.limit, page.offset],
});

/** Without three consecutive letters or digits, the whole trigram index is read, which takes longer than reading all errors. */
const WITH_TRIGRAM = /[\p{L}\p{N}]{3}/u;

/** $1 and $2 of the statements that search for errors. */
const errorPattern = (search: string): (string | undefined)[] =>
  WITH_TRIGRAM.test(search) ? [toPattern(search), undefined] : [undefined, toPattern(search)];

const toPattern = (search: string): string => `%${search.replace(/[\\%_]/g, '\\$&')}%`;

/** $1 … $10 of the statements that match row by row. A single state is compared by itself, so that an index is in order. */
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
