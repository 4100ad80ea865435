import { readFileSync } from 'node:fs';
import { JOB_STATES } from '@trellis/contracts';
import { describe, expect, it } from 'vitest';
import {
  countStatement,
  detailedPageStatement,
  hasFixedPlan,
  type JobFilter,
  nearStatement,
  pageStatement,
} from './page-plan.ts';

const page = { order: 'newest', limit: 50, offset: 0 } as const;
const queryOf = (filter: JobFilter) => pageStatement(filter, page).query;

describe('a page is read in the order of an index when one has that order', () => {
  it.for<JobFilter>([
    {},
    { service: 's' },
    { states: ['dead'] },
    { service: 's', type: 't', states: ['dead'] },
    { states: [] },
    { service: 's', states: [...JOB_STATES] },
  ])('%j walks', (filter) => {
    expect(queryOf(filter)).toBe('page-newest');
  });

  it.for<JobFilter>([
    { type: 't' },
    { service: 's', type: 't' },
    { states: ['completed'] },
    { service: 's', states: ['dead'] },
    { type: 't', states: ['dead'] },
    { states: ['dead', 'failed'] },
    { service: 's', type: 't', states: ['completed', 'failed'] },
  ])('%j is merged of slices', (filter) => {
    expect(queryOf(filter)).toBe('sliced-page-newest');
  });

  it.for<JobFilter>([
    { states: ['dead', 'failed'], traceId: 'x' },
    { type: 't', requestId: 'x' },
    { type: 't', key: 'x' },
    { states: ['dead', 'failed'], since: '2026-01-01T00:00:00.000Z' },
    { type: 't', search: 'x' },
  ])('%j matches too many jobs to merge, and is read by the index of its detail', (filter) => {
    expect(queryOf(filter)).toBe('page-newest');
  });
});

it('a page is searched nearby when it may have completed jobs of all services', () => {
  const near = (filter: JobFilter) => nearStatement(filter, page)?.values.slice(0, 2);
  expect(near({ states: ['completed'] })).toEqual([undefined, ['completed']]);
  expect(near({ type: 't' })).toEqual(['t', undefined]);
  for (const filter of [
    {},
    { states: ['dead', 'failed'] },
    { service: 's', type: 't' },
    { service: 's', states: ['completed'] },
  ]) {
    expect(near(filter as JobFilter)).toBeUndefined();
  }
});

describe('whether the server may keep the plan', () => {
  it.for<[JobFilter, number, boolean]>([
    [{ service: 's', states: ['dead'] }, 0, true],
    [{ service: 's' }, 10, false],
    [{ since: '2026-01-01T00:00:00.000Z' }, 0, false],
    [{ search: 'said 503' }, 0, true],
    [{ search: 'said 503', states: [] }, 0, true],
    [{ search: 'said 503', states: ['dead'] }, 0, false],
  ])('%j with offset %i: %s', ([filter, offset, expected]) => {
    expect(hasFixedPlan(filter, { ...page, offset })).toBe(expected);
  });
});

describe('the values of a statement', () => {
  it('have a single state as a text, several states as a list', () => {
    expect(pageStatement({ states: ['dead', 'dead'] }, page).values.slice(2, 4)).toEqual(['dead', undefined]);
    const several = pageStatement({ states: ['dead', 'failed'], search: 'x' }, page).values;
    expect(several.slice(2, 4)).toEqual([undefined, ['dead', 'failed']]);
  });

  it('escape wildcards in the searched text', () => {
    expect(pageStatement({ search: '50%_\\' }, page).values[9]).toBe('%50\\%\\_\\\\%');
  });

  it('end with the cursor, the limit and the offset', () => {
    const after = { createdAt: '2026-01-01T00:00:00.000Z', id: 'x' };
    for (const filter of [{}, { type: 't' }]) {
      const { values } = pageStatement(filter, { order: 'oldest', limit: 7, offset: 3, after });
      expect(values.slice(-4)).toEqual([after.createdAt, 'x', 7, 3]);
    }
  });
});

it('a detailed page and its count examine a bounded number of jobs', () => {
  const { query, values } = detailedPageStatement({ states: ['dead'], traceId: 'x' }, page, 10);
  expect(query).toBe('detailed-page');
  expect(values.slice(10)).toEqual([10, true, undefined, undefined, 50, 0]);
  expect(countStatement({ service: 's', type: 't', states: ['dead', 'failed'] }).values).toEqual([
    's',
    't',
    ['dead', 'failed'],
  ]);
});

it.for(['page', 'near-page', 'sliced-page', 'errors-page', 'errors-walk'])(
  '%s-oldest.sql is the mirror of %s-newest.sql',
  (name) => {
    const text = (order: string) =>
      readFileSync(new URL(`../../queries/read/page/${name}-${order}.sql`, import.meta.url), 'utf8');
    const mirrored = text('newest')
      .replaceAll('newest', 'oldest')
      .replaceAll('(created_at, id) <', '(created_at, id) >')
      .replaceAll(' desc', ' asc');
    expect(text('oldest')).toBe(mirrored);
  },
);
