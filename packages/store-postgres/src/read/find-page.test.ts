import { describe, expect, it } from 'vitest';
import { type ErrorMatches, type FoundPage, findPage } from './find-page.ts';
import type { PagePlan } from './list-query.ts';
import type { JobFilter, PageWanted } from './page-plan.ts';

const page: PageWanted = { order: 'newest', limit: 50, offset: 0 };

/** Runs `findPage` on a source with these matches and page sizes. @returns the page and the statements that it read */
async function find(filter: JobFilter, matches: ErrorMatches, read = page.limit) {
  const queries: [query: string, examined?: unknown][] = [];
  const source = {
    read: async ({ found }: PagePlan): Promise<FoundPage> => {
      queries.push(found.query.startsWith('errors-walk') ? [found.query, found.values[3]] : [found.query]);
      return { count: null, read };
    },
    errorMatches: async () => {
      queries.push(['error-matches']);
      return matches;
    },
    empty: { count: 0, read: 0 },
  };
  const found = await findPage(source, filter, page);
  return { queries, found };
}

describe('a search for the text of an error', () => {
  it('that no error contains runs no other statement, whatever else the filter has', async () => {
    for (const filter of [{ search: 'x' }, { search: 'x', service: 's', since: '2026-01-01T00:00:00.000Z' }]) {
      const { queries, found } = await find(filter, { texts: 0, jobs: 0 });
      expect(queries).toEqual([['error-matches']]);
      expect(found).toEqual({ count: 0, countAtLeast: false, read: 0 });
    }
  });

  it('with few jobs or few errors merges them', async () => {
    for (const matches of [
      { texts: 240, jobs: 250 },
      { texts: 2, jobs: 1_000_000 },
    ]) {
      expect((await find({ search: 'x' }, matches)).queries).toEqual([['error-matches'], ['errors-page-newest']]);
    }
  });

  it('with many jobs searches nearby first, and examines less than twice as many jobs as a merge', async () => {
    const { queries, found } = await find({ search: 'x' }, { texts: 3_000, jobs: 5_000 });
    expect(queries).toEqual([['error-matches'], ['errors-walk-newest', 8_192]]);
    expect(found).toMatchObject({ count: 5_000, countAtLeast: false });
  });

  it('merges when the page nearby is not full', async () => {
    const { queries } = await find({ search: 'x' }, { texts: 100, jobs: 50_000 }, 49);
    expect(queries).toEqual([['error-matches'], ['errors-walk-newest', 8_192], ['errors-page-newest']]);
  });

  it('is counted up to a limit', async () => {
    const { found } = await find({ search: 'x' }, { texts: 10_001, jobs: 12_345 });
    expect(found).toMatchObject({ count: 10_000, countAtLeast: true });
  });

  it('with other conditions is counted by its jobs', async () => {
    const filter: JobFilter = { search: 'x', states: ['dead'] };
    const { queries } = await find(filter, { texts: 1, jobs: 30_000 });
    expect(queries).toEqual([['error-matches'], ['detailed-errors']]);
    const many = await find(filter, { texts: 1, jobs: 30_001 });
    expect(many.queries).toEqual([['error-matches'], ['detailed-page']]);
  });
});

it('filters that the counters or an index cover take one statement', async () => {
  for (const filter of [{}, { service: 's' }, { traceId: 'x' }]) {
    expect((await find(filter, { texts: 0, jobs: 0 })).queries).toHaveLength(1);
  }
});
