import { fold } from '@trellis/lifecycle';
import { describe, expect, it } from 'vitest';
import { BUSY, backlogEvents, EVENTS_OF_A_JOB, fullySpread } from './backlog.ts';

const JOBS = 3_000;

describe.each([
  ['busy', BUSY],
  ['fully spread', fullySpread(JOBS)],
])('a backlog that is %s', (_name, spread) => {
  const stored = [...backlogEvents(JOBS, spread)].map((event, index) => ({
    event,
    sequence: index + 1,
    storedAt: event.timestamp,
  }));
  const byJob = Map.groupBy(stored, ({ event }) => event.jobId);

  it('completes every job', () => {
    expect(stored).toHaveLength(JOBS * EVENTS_OF_A_JOB);
    expect(byJob.size).toBe(JOBS);
    for (const events of byJob.values()) expect(fold(events)?.state).toBe('completed');
  });
});

it('in a busy backlog the events of a job are within 5,000 messages', () => {
  const events = [...backlogEvents(JOBS, BUSY)].map(({ jobId }, sequence) => ({ jobId, sequence }));
  const spans = Array.from(
    Map.groupBy(events, ({ jobId }) => jobId).values(),
    (of) => (of.at(-1)?.sequence ?? 0) - (of[0]?.sequence ?? 0),
  );
  expect(Math.max(...spans)).toBeLessThanOrEqual(5_000);
});

it('a spread backlog creates every job before it starts one, and starts every one before it completes one', () => {
  const types = [...backlogEvents(JOBS, fullySpread(JOBS))].map(({ eventType }) => eventType);
  expect(types.lastIndexOf('created')).toBeLessThan(types.indexOf('started'));
  expect(types.lastIndexOf('started')).toBeLessThan(types.indexOf('completed'));
});
