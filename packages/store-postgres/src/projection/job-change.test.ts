import { expect, it } from 'vitest';
import { foldedJob } from '../testing/folded-job.ts';
import { countDeltas } from './job-change.ts';

it('sums the changes of a batch for each state, sorted', () => {
  const pending = foldedJob({ id: 'A' });
  const change = { restarted: false, logs: [] };
  expect(
    countDeltas([
      { ...change, before: undefined, job: foldedJob({ id: 'B' }) },
      { ...change, before: pending, job: { ...pending, state: 'active' } },
      { ...change, before: undefined, job: foldedJob({ id: 'C', service: 'billing' }) },
      { ...change, before: undefined, job: foldedJob({ id: 'D' }) },
    ]),
  ).toEqual([
    { service: 'billing', type: 'charge', state: 'pending', delta: 1 },
    { service: 'orders-service', type: 'charge', state: 'active', delta: 1 },
    { service: 'orders-service', type: 'charge', state: 'pending', delta: 1 },
  ]);
});

it('leaves out sums of zero', () => {
  const job = foldedJob({});
  expect(countDeltas([{ before: job, job: { ...job, tries: 3 }, restarted: false, logs: [] }])).toEqual([]);
});

it('moves a job that restarts under another owner from the old owner to the new one', () => {
  const before = foldedJob({ state: 'completed' });
  const job = foldedJob({ service: 'billing' });
  expect(countDeltas([{ before, job, restarted: true, logs: [] }])).toEqual([
    { service: 'billing', type: 'charge', state: 'pending', delta: 1 },
    { service: 'orders-service', type: 'charge', state: 'completed', delta: -1 },
  ]);
});
