import { JOB_STATES, type JobState } from '@trellis/contracts';
import { type FoldedJob, fold } from '@trellis/lifecycle';
import { expect, it } from 'vitest';
import { eventOf, newJob } from '../testing/job-events.ts';
import { decideCancel } from './cancel-job.ts';

const identity = newJob();
const stored = { sequence: 7, storedAt: '2026-01-01T00:00:00.000Z', event: eventOf(identity, 'created') };
const created = fold([stored]);
if (!created) throw new Error('a created makes a job');
const jobIn = (state: JobState, more: Partial<FoldedJob> = {}): FoldedJob => ({ ...created, state, ...more });

it('decides every state', () => {
  const decided = Object.fromEntries(JOB_STATES.map((state) => [state, decideCancel(jobIn(state), false).kind]));
  expect(decided).toEqual({
    pending: 'publish',
    active: 'publish',
    retry: 'publish',
    completed: 'refuse',
    failed: 'refuse',
    cancelled: 'refuse',
    expired: 'refuse',
    skipped: 'refuse',
    stale: 'refuse',
    dead: 'refuse',
    dismissed: 'refuse',
  });
});

it.for(['pending', 'retry'] as const)(
  'a job in %s ends only if nothing happened to it meanwhile, forced or not',
  (state) => {
    for (const force of [false, true]) {
      expect(decideCancel(jobIn(state), force)).toMatchObject({ event: { eventType: 'cancelled' }, when: 'unchanged' });
    }
  },
);

it('an active job is asked once a run, and asked again of a later run', () => {
  const first = decideCancel(jobIn('active'), false);
  expect(first).toMatchObject({ event: { eventType: 'cancelRequested', state: 'active' }, when: 'always' });
  expect(decideCancel(jobIn('active', { cancelRequestedAt: '2026-01-01T00:00:00.000Z' }), false)).toEqual({
    kind: 'answer',
  });
  const later = decideCancel(jobIn('active', { originSequence: 99 }), false);
  expect(later).not.toEqual(first);
  expect(decideCancel(jobIn('active'), false)).toEqual(first);
});

it('an active job ends at once with force, also when it was asked before', () => {
  for (const cancelRequestedAt of [undefined, '2026-01-01T00:00:00.000Z']) {
    const decision = decideCancel(jobIn('active', { cancelRequestedAt }), true);
    expect(decision).toMatchObject({ event: { eventType: 'cancelled' }, when: 'always' });
  }
});
