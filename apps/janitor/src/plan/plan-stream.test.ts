import { describe, expect, it } from 'vitest';
import { isProjectionOf, isRetentionOver, judgeQueue, mayPurge, mayRecreate, retentionCutoff } from './plan-stream.ts';

const NOW = Date.parse('2026-01-31T10:00:00.000Z');
const ago = (ms: number) => new Date(NOW - ms).toISOString();

describe('retention', () => {
  const retention = { completed: 1_000, dead: 5_000 };

  it('is over when the job has been in its ended state for longer than that state is kept', () => {
    expect(isRetentionOver({ state: 'completed', updatedAt: ago(1_001) }, retention, NOW)).toBe(true);
    expect(isRetentionOver({ state: 'completed', updatedAt: ago(1_000) }, retention, NOW)).toBe(false);
    expect(isRetentionOver({ state: 'dead', updatedAt: ago(1_001) }, retention, NOW)).toBe(false);
  });

  it('never is for states without a limit and for open jobs', () => {
    expect(isRetentionOver({ state: 'failed', updatedAt: ago(1e9) }, retention, NOW)).toBe(false);
    expect(isRetentionOver({ state: 'active', updatedAt: ago(1e9) }, { active: 1 }, NOW)).toBe(false);
  });

  it('looks no further than its shortest limit, and nowhere without one', () => {
    expect(retentionCutoff(retention, NOW)).toBe(ago(1_000));
    expect(retentionCutoff({}, NOW)).toBeUndefined();
  });

  it('purges only what every pipeline has passed and no duplicate window remembers', () => {
    const facts = (sequence: number, ageMs: number) => ({
      last: { sequence, storedAt: ago(ageMs) },
      passedUpTo: 10,
      duplicateWindowMs: 2_000,
    });
    expect(mayPurge(facts(10, 3_001), NOW)).toBe('yes');
    expect(mayPurge(facts(11, 3_001), NOW)).toBe('pipelines');
    expect(mayPurge(facts(10, 2_500), NOW)).toBe('window');
  });
});

describe('isProjectionOf', () => {
  const stream = { created: 'A', firstSequence: 1, lastSequence: 10 };

  it('holds for the stream that was projected, and only up to its end', () => {
    expect(isProjectionOf({ streamCreated: 'A', position: 10 }, stream)).toBe(true);
    expect(isProjectionOf({ streamCreated: 'A', position: 11 }, stream)).toBe(false);
    expect(isProjectionOf({ streamCreated: 'B', position: 10 }, stream)).toBe(false);
    expect(isProjectionOf({ streamCreated: undefined, position: 0 }, stream)).toBe(false);
    expect(isProjectionOf(undefined, stream)).toBe(false);
  });
});

describe('judgeQueue', () => {
  const facts = (arrived: number | undefined, missingForMs?: number) => ({
    jobsLastSequence: 25,
    lastArrived: arrived === undefined ? undefined : { originSequence: arrived },
    firstMissing: missingForMs === undefined ? undefined : { sequence: 20, storedAt: ago(missingForMs) },
  });

  it('is in step when nothing is missing, or when nothing can be told from what is left', () => {
    expect(judgeQueue(facts(20), NOW, 500)).toEqual({ kind: 'in-step' });
    expect(judgeQueue(facts(undefined, 1e9), NOW, 500)).toEqual({ kind: 'in-step' });
  });

  it('is behind only once what is missing is older than the grace', () => {
    expect(judgeQueue(facts(15, 500), NOW, 500)).toEqual({ kind: 'in-step' });
    expect(judgeQueue(facts(15, 501), NOW, 500)).toEqual({ kind: 'behind', missing: 20, since: ago(501), arrived: 15 });
  });

  it('is ahead when it holds an origin beyond the end of JOBS', () => {
    expect(judgeQueue(facts(26), NOW, 1e9)).toEqual({ kind: 'ahead', jobsLastSequence: 25, arrived: 26 });
  });
});

it('the work queue is made anew again only after twice the grace', () => {
  expect(mayRecreate(undefined, NOW, 1_000)).toBe(true);
  expect(mayRecreate(ago(2_000), NOW, 1_000)).toBe(false);
  expect(mayRecreate(ago(2_001), NOW, 1_000)).toBe(true);
});
