import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JanitorRows } from '../janitor/janitor-rows.ts';
import { changed, newJob, openTestCurrentStore, STREAM_CREATED } from '../testing/current-store-fixture.ts';
import { foldedJob } from '../testing/folded-job.ts';
import type { JobChange } from './job-change.ts';

const anyError = fc.constantFrom(undefined, '', 'No stock', 'NO STOCK', 'Kein Lager: ÄÖ', 'x'.repeat(5_000));
/** What happens to a job in one batch. */
const anyStep = fc.record({
  id: fc.constantFrom('A', 'B', 'C', 'D'),
  error: anyError,
  becomes: fc.constantFrom('updated', 'begun anew', 'removed'),
});

it('the error counts equal a recount of the jobs after any batches', async () => {
  await using test = await openTestCurrentStore();
  const janitor = new JanitorRows(test.postgres);
  const counted = () => test.rows('select lowered, count from job_errors order by id');
  const recounted = () =>
    test.rows(`select lower(last_error) as lowered, count(*) as count from jobs where last_error is not null
      group by last_error order by md5(last_error)::uuid`);
  let position = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uniqueArray(anyStep, { selector: ({ id }) => id, minLength: 1 })), async (batches) => {
      await test.store.clear(test.lease, position);
      position = 0;
      expect(await counted()).toEqual([]);
      const jobs = new Map<string, JobChange['job']>();
      for (const batch of batches) {
        const changes = batch
          .filter(({ becomes }) => becomes !== 'removed')
          .map(({ id, error, becomes }) => {
            const before = jobs.get(id);
            if (!before) return newJob(foldedJob({ id, lastError: error }));
            if (becomes === 'updated') return changed(before, { lastError: error });
            return { ...newJob(foldedJob({ id, service: 'another', lastError: error })), before, restarted: true };
          });
        const range = { from: position, to: position + 1_000 };
        expect(await test.commit(changes, range)).toEqual({ kind: 'committed' });
        position = range.to;
        for (const { job } of changes) jobs.set(job.id, job);
        const removed = batch.flatMap(({ id, becomes }) => (becomes === 'removed' ? (jobs.get(id) ?? []) : []));
        expect(await janitor.remove(removed, STREAM_CREATED)).toBe(removed.length);
        for (const { id } of removed) jobs.delete(id);
        expect(await counted()).toEqual(await recounted());
      }
    }),
    { numRuns: 30 },
  );
});
