import { describe, expect, it } from 'vitest';
import { deadlineOfRerun, isOverdue } from './deadline.ts';

const ORIGIN = '2026-01-01T00:00:00.000Z';
const at = (instant: string) => Date.parse(instant);

describe('the deadline of a job that runs again', () => {
  it('is as long after the new origin as it was after the old one', () => {
    const old = { deadline: '2026-01-01T01:00:00.000Z', originAt: ORIGIN };
    expect(deadlineOfRerun(old, at('2026-03-01T00:00:00.000Z'))).toBe('2026-03-01T01:00:00.000Z');
  });

  it.each([
    ['there was none', { deadline: undefined, originAt: ORIGIN }],
    ['it is no date', { deadline: 'soon', originAt: ORIGIN }],
    ['it would be after the year 9999', { deadline: '9999-12-31T00:00:00.000Z', originAt: ORIGIN }],
  ])('is missing when %s', (_, old) => {
    expect(deadlineOfRerun(old, at('2026-03-01T00:00:00.000Z'))).toBeUndefined();
  });
});

it('a deadline is overdue once its instant has passed', () => {
  expect(isOverdue(ORIGIN, at(ORIGIN))).toBe(false);
  expect(isOverdue(ORIGIN, at(ORIGIN) + 1)).toBe(true);
  expect(isOverdue(undefined, at(ORIGIN))).toBe(false);
});
