// Decides which statements read one page, one after the other; mostly a single one. page-plan.ts builds the statements, the
// caller runs them.
import {
  barePlan,
  COUNT_LIMIT,
  countedErrorsPlan,
  countedPlan,
  mergedErrorsPlan,
  nearErrorsPlan,
  type PagePlan,
} from './list-query.ts';
import { isDetailed, isSearch, type JobFilter, type PageWanted } from './page-plan.ts';

/** Most jobs that are merged without first searching for the page nearby. */
const FEW_JOBS = 250;
/** Most jobs with matching errors that are examined for the other conditions of a filter. */
const MAX_EXAMINED = 3 * COUNT_LIMIT;

export interface Counted {
  /** Number of matching jobs: exact for filters by service, type and states only, else counted up to `COUNT_LIMIT`. */
  count: number;
  /** More than `count` jobs match. */
  countAtLeast: boolean;
}

export interface FoundPage {
  /** Number of matching jobs, when the statement counted them. */
  count: number | null;
  /** Number of jobs on the page. */
  read: number;
}

export interface ErrorMatches {
  /** Number of error texts that contain the searched text, counted up to `COUNT_LIMIT + 1`. */
  texts: number;
  /** Number of jobs that have one of these errors. */
  jobs: number;
}

export interface PageSource<Page extends FoundPage> {
  read(plan: PagePlan): Promise<Page>;
  errorMatches(search: string): Promise<ErrorMatches>;
  /** A page without jobs. */
  empty: Page;
}

/** @param page its limit is one more than the caller shows: the extra job shows that more follow */
export async function findPage<Page extends FoundPage>(
  source: PageSource<Page>,
  filter: JobFilter,
  page: PageWanted,
): Promise<Page & Counted> {
  const { search } = filter;
  let counting = countedPlan;
  if (search !== undefined) {
    const { texts, jobs } = await source.errorMatches(search);
    if (texts === 0) return { ...source.empty, count: 0, countAtLeast: false };
    if (isSearch(filter)) {
      const most = Math.min(jobs, texts * (page.limit + page.offset));
      return { ...(await findErrors(source, search, page, most)), ...countedTo(jobs) };
    }
    if (jobs <= MAX_EXAMINED) counting = countedErrorsPlan;
  }
  const found = await source.read(counting(filter, page));
  const counted = isDetailed(filter) ? countedTo(found.count ?? 0) : { count: found.count ?? 0, countAtLeast: false };
  const complete = isComplete(page, counted, found.read) ? found : await source.read(barePlan(filter, page));
  return { ...complete, ...counted };
}

/** @param most jobs that a merge examines; the search nearby may examine as many, and no more */
async function findErrors<Page extends FoundPage>(
  source: PageSource<Page>,
  search: string,
  page: PageWanted,
  most: number,
): Promise<Page> {
  if (most > FEW_JOBS) {
    const near = await source.read(nearErrorsPlan(search, page, most));
    if (near.read === page.limit) return near;
  }
  return source.read(mergedErrorsPlan(search, page));
}

function countedTo(count: number): Counted {
  const countAtLeast = count > COUNT_LIMIT;
  return { count: countAtLeast ? COUNT_LIMIT : count, countAtLeast };
}

/** Whether the page is complete among the newest jobs that were counted. */
const isComplete = (page: PageWanted, { countAtLeast }: Counted, read: number): boolean =>
  !countAtLeast || (page.order === 'newest' && read === page.limit);
