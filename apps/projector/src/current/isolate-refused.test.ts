import type { LifecycleEvent } from '@trellis/contracts';
import type { CommitOutcome, JobChange } from '@trellis/store-postgres';
import { describe, expect, it } from 'vitest';
import { event, subjectOf } from '../testing/sample-event.ts';
import type { FoldInput } from './fold-batch.ts';
import { isolateRefused } from './isolate-refused.ts';

const REFUSAL = { storeCode: '22003', reason: 'out of range' };

function input(bodies: LifecycleEvent[]): FoldInput {
  const events = bodies.map((body, index) => {
    const message = { subject: subjectOf(body), sequence: index + 1, storedAt: body.timestamp, data: new Uint8Array() };
    return { stored: { sequence: index + 1, storedAt: body.timestamp, event: body }, message };
  });
  return { events, known: new Map(), firstOfId: new Set(), refused: new Map() };
}

/** A store that refuses jobs of more than five tries, and counts how often it was asked. */
function pickyStore() {
  const asked = { times: 0 };
  const tryChanges = async (changes: JobChange[]): Promise<CommitOutcome> => {
    asked.times++;
    return changes.some(({ job }) => job.tries > 5) ? { kind: 'refused', refusal: REFUSAL } : { kind: 'committed' };
  };
  return { asked, tryChanges };
}

const manyJobs = (count: number) => Array.from({ length: count }, (_, index) => event(`J${index}`, 'created'));

describe('isolating what the store refuses', () => {
  it('names the one event of a job that makes its row refused', async () => {
    const { tryChanges } = pickyStore();
    const events = [
      event('A', 'created'),
      event('A', 'started', { tries: 9 }),
      event('A', 'retry', { error: 'x' }),
      event('B', 'created'),
    ];
    expect(await isolateRefused(input(events), tryChanges)).toEqual(new Map([[2, REFUSAL]]));
  });

  it('names every one of several, in several jobs', async () => {
    const { tryChanges } = pickyStore();
    const events = [
      ...manyJobs(20),
      event('J3', 'started', { tries: 7 }),
      event('J3', 'started', { tries: 8 }),
      event('J17', 'started', { tries: 6 }),
      event('J17', 'completed', { result: 1 }),
    ];
    expect([...(await isolateRefused(input(events), tryChanges)).keys()]).toEqual([21, 22, 23]);
  });

  it('asks about halves, not about every job', async () => {
    const { tryChanges, asked } = pickyStore();
    await isolateRefused(input([...manyJobs(512), event('J400', 'started', { tries: 9 })]), tryChanges);
    expect(asked.times).toBeLessThan(30);
  });

  it('gives up when no event is to blame', async () => {
    const all = async (changes: JobChange[]): Promise<CommitOutcome> =>
      changes.length > 1 ? { kind: 'refused', refusal: REFUSAL } : { kind: 'committed' };
    await expect(isolateRefused(input(manyJobs(4)), all)).rejects.toThrow('no event of it');
  });
});
