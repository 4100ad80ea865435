import { describe, expect, it } from 'vitest';
import { type ErrorMatches, type FoundPage, findPage } from './find-page.ts';
import type { PagePlan } from './list-query.ts';
import type { JobFilter, PageWanted } from './page-plan.ts';

const page: PageWanted = { order: 'newest', limit: 50, offset: 0 };

/** Answers from what is said of the errors and of the pages; tells what was asked. */
async function find(filter: JobFilter, matches: ErrorMatches, read = page.limit) {
  const asked: [query: string, looksAt?: unknown][] = [];
  const source = {
    read: async ({ found }: PagePlan): Promise<FoundPage> => {
      asked.push(found.query.startsWith('errors-walk') ? [found.query, found.values[3]] : [found.query]);
      return { count: null, read };
    },
    errorMatches: async () => {
      asked.push(['error-matches']);
      return matches;
    },
    empty: { count: 0, read: 0 },
  };
  const found = await findPage(source, filter, page);
  return { asked, found };
}

describe('a search for the text of an error', () => {
  it('that no error has asks nothing else, whatever is asked beside it', async () => {
    for (const filter of [{ search: 'x' }, { search: 'x', service: 's', since: '2026-01-01T00:00:00.000Z' }]) {
      const { asked, found } = await find(filter, { texts: 0, jobs: 0 });
      expect(asked).toEqual([['error-matches']]);
      expect(found).toEqual({ count: 0, countAtLeast: false, read: 0 });
    }
  });

  it('of few jobs, or of few errors, merges them', async () => {
    for (const matches of [
      { texts: 240, jobs: 250 },
      { texts: 2, jobs: 1_000_000 },
    ]) {
      expect((await find({ search: 'x' }, matches)).asked).toEqual([['error-matches'], ['errors-page-newest']]);
    }
  });

  it('of many looks nearby, at less than twice as many jobs as a merge would', async () => {
    const { asked, found } = await find({ search: 'x' }, { texts: 3_000, jobs: 5_000 });
    expect(asked).toEqual([['error-matches'], ['errors-walk-newest', 8_192]]);
    expect(found).toMatchObject({ count: 5_000, countAtLeast: false });
  });

  it('merges when the page is not full nearby', async () => {
    const { asked } = await find({ search: 'x' }, { texts: 100, jobs: 50_000 }, 49);
    expect(asked).toEqual([['error-matches'], ['errors-walk-newest', 8_192], ['errors-page-newest']]);
  });

  it('is counted up to a limit', async () => {
    const { found } = await find({ search: 'x' }, { texts: 10_001, jobs: 12_345 });
    expect(found).toMatchObject({ count: 10_000, countAtLeast: true });
  });

  it('with anything else is counted by its jobs', async () => {
    const filter: JobFilter = { search: 'x', states: ['dead'] };
    const { asked } = await find(filter, { texts: 1, jobs: 30_000 });
    expect(asked).toEqual([['error-matches'], ['detailed-errors']]);
    const many = await find(filter, { texts: 1, jobs: 30_001 });
    expect(many.asked).toEqual([['error-matches'], ['detailed-page']]);
  });
});

it('all that the counters know, or that an index holds, is one statement', async () => {
  for (const filter of [{}, { service: 's' }, { traceId: 'x' }]) {
    expect((await find(filter, { texts: 0, jobs: 0 })).asked).toHaveLength(1);
  }
});
