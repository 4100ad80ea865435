import type { LifecycleEvent } from '@trellis/contracts';
import { fold } from '@trellis/lifecycle';
import { expect, it } from 'vitest';
import { eventOf, newJob } from '../testing/job-events.ts';
import { retriedEvent } from './requeue-job.ts';

const identity = newJob();
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();
const created = (fields: Partial<LifecycleEvent> = {}) => eventOf(identity, 'created', { timestamp: at(0), ...fields });
const jobOf = (...events: LifecycleEvent[]) => {
  const job = fold(events.map((event, i) => ({ sequence: i + 1, storedAt: event.timestamp, event })));
  if (!job) throw new Error('there is no job');
  return job;
};
const NOW = new Date(at(100));

it('takes payload, maxTries and the length of the deadline from the created event', () => {
  const origin = created({ payload: { secret: 1 }, maxTries: 3, deadline: at(30) });
  expect(retriedEvent({ ...jobOf(origin), payload: 'redacted' }, [origin], NOW)).toEqual({
    eventType: 'retried',
    state: 'pending',
    tries: 0,
    timestamp: at(100),
    payload: { secret: 1 },
    maxTries: 3,
    deadline: at(130),
  });
});

it('prefers what the last retried says, field by field', () => {
  const first = created({ payload: 1, maxTries: 3, deadline: at(30) });
  const fresh = eventOf(identity, 'retried', { timestamp: at(50), payload: 2, maxTries: 9, deadline: at(55) });
  expect(retriedEvent(jobOf(first), [fresh, first], NOW)).toMatchObject({ payload: 2, maxTries: 9, deadline: at(105) });
  // Other implementations may leave them out.
  const bare = eventOf(identity, 'retried', { timestamp: at(50) });
  expect(retriedEvent(jobOf(first), [bare, first], NOW)).toMatchObject({ payload: 1, maxTries: 3, deadline: at(130) });
});

it('has no deadline where there was none, or where it would lie beyond what a date can say', () => {
  expect(retriedEvent(jobOf(created()), [created()], NOW)).not.toHaveProperty('deadline');
  const endless = created({ deadline: '9999-12-31T23:59:59.000Z' });
  expect(retriedEvent(jobOf(endless), [endless], NOW)).not.toHaveProperty('deadline');
});

it('keeps the key of a keyed job, and nothing of who held its place', () => {
  const origin = created({ concurrency: { key: 'k', keyHash: 'h', slotToken: 't', instanceId: 'i' } });
  expect(retriedEvent(jobOf(origin), [origin], NOW)?.concurrency).toEqual({ key: 'k', keyHash: 'h' });
});

it('is not made without a payload', () => {
  const bare = eventOf(identity, 'retried', { timestamp: at(50) });
  expect(retriedEvent(jobOf(created()), [bare], NOW)).toBeUndefined();
});
