// Which statements read one page, one after the other: mostly a single one. What they are is page-plan.ts, how they run and
// what they read is the caller's.
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

/** Up to so many jobs are merged without first looking whether the page is near. */
const FEW_JOBS = 250;
/** Up to so many that have an error are looked at for what is asked beside it. */
const LOOKED_AT = 3 * COUNT_LIMIT;

export interface Counted {
  /** How many jobs match in all: exact for service, type and states, else counted up to `COUNT_LIMIT`. */
  count: number;
  /** There are more than `count`. */
  countAtLeast: boolean;
}

export interface FoundPage {
  /** As the statement counted it, when it did. */
  count: number | null;
  /** Jobs on the page. */
  read: number;
}

export interface ErrorMatches {
  /** Errors that have the text in them, looked at up to `COUNT_LIMIT` and one more. */
  texts: number;
  /** Jobs that have one of these. */
  jobs: number;
}

export interface PageSource<Page extends FoundPage> {
  read(plan: PagePlan): Promise<Page>;
  errorMatches(search: string): Promise<ErrorMatches>;
  /** Without any job. */
  empty: Page;
}

/** @param page with one job more than asked for, which tells whether more follow */
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
    if (jobs <= LOOKED_AT) counting = countedErrorsPlan;
  }
  const found = await source.read(counting(filter, page));
  const counted = isDetailed(filter) ? countedTo(found.count ?? 0) : { count: found.count ?? 0, countAtLeast: false };
  const whole = isWhole(page, counted, found.read) ? found : await source.read(barePlan(filter, page));
  return { ...whole, ...counted };
}

/** @param most jobs that a merge looks at: looking nearby may cost as much, and no more */
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

/** Whether the page lies among the newest jobs that were looked at for a count. */
const isWhole = (page: PageWanted, { countAtLeast }: Counted, read: number): boolean =>
  !countAtLeast || (page.order === 'newest' && read === page.limit);
