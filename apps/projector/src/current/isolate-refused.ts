// Finds the events whose effect the store refuses, so that the rest of their batch can be written. Rare, so simple: tries
// halves of the batch until single jobs are left, then the events of each such job one by one.
import type { CommitOutcome, JobChange, StoreRefusal } from '@trellis/store-postgres';
import { type FoldInput, foldBatch } from './fold-batch.ts';

/** What the store would say of these changes. */
export type TryChanges = (changes: JobChange[]) => Promise<CommitOutcome>;

/**
 * The refused events by sequence, those of `input.refused` included.
 * @throws Error when the store refuses the batch but none of its jobs
 */
export async function isolateRefused(input: FoldInput, tryChanges: TryChanges): Promise<Map<number, StoreRefusal>> {
  const refused = new Map(input.refused);
  const jobs = await refusedJobs(foldBatch(input).changes, tryChanges);
  for (const id of jobs) {
    const events = input.events.filter(({ stored }) => stored.event.jobId === id);
    for (const [index, { stored }] of events.entries()) {
      const { changes } = foldBatch({ ...input, events: events.slice(0, index + 1), refused });
      const outcome = await tryChanges(changes);
      if (outcome.kind === 'refused') refused.set(stored.sequence, outcome.refusal);
    }
  }
  if (refused.size === input.refused.size) throw new Error('the store refuses the batch, but no event of it');
  return refused;
}

async function refusedJobs(changes: JobChange[], tryChanges: TryChanges): Promise<string[]> {
  if (changes.length === 0) return [];
  const outcome = await tryChanges(changes);
  if (outcome.kind === 'outdated') throw new Error('rows changed while a batch was being examined');
  if (outcome.kind === 'committed') return [];
  const [only] = changes;
  if (changes.length === 1 && only) return [only.job.id];
  const half = changes.length >> 1;
  return [
    ...(await refusedJobs(changes.slice(0, half), tryChanges)),
    ...(await refusedJobs(changes.slice(half), tryChanges)),
  ];
}
