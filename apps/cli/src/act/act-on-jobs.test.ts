import { Fault, type JobReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { actOnJobs } from './act-on-jobs.ts';

const replyOf = (id: string) => ({ job: { id, state: 'pending' } }) as JobReply;
const ids = (n: number) => Array.from({ length: n }, (_, i) => `job-${i}`);

it('has at most `concurrency` calls in flight, and reports progress and outcomes in order', async () => {
  let inFlight = 0;
  let most = 0;
  const seen: number[] = [];
  const outcomes = await actOnJobs(
    ids(20),
    async (id) => {
      most = Math.max(most, ++inFlight);
      await new Promise(setImmediate);
      inFlight--;
      if (id === 'job-7') throw new Fault('state-conflict', 'job-7 is completed');
      return replyOf(id);
    },
    { concurrency: 4, onProgress: (done) => seen.push(done) },
  );
  expect(most).toBe(4);
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  expect(outcomes.map(({ id }) => id)).toEqual(ids(20));
  expect(outcomes[7]).toEqual({
    id: 'job-7',
    outcome: 'failed',
    error: { code: 'state-conflict', message: 'job-7 is completed' },
  });
  expect(outcomes.filter(({ outcome }) => outcome === 'done')).toHaveLength(19);
});

it('starts no further call once the signal aborts', async () => {
  const stop = new AbortController();
  const outcomes = await actOnJobs(
    ids(5),
    async (id) => {
      if (id === 'job-1') stop.abort();
      return replyOf(id);
    },
    { concurrency: 1, signal: stop.signal },
  );
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'not-tried', 'not-tried', 'not-tried']);
});

it('gives up after five consecutive calls without an answer, not after single ones', async () => {
  const gone = await actOnJobs(
    ids(10),
    async () => {
      throw new Fault('unavailable', 'nobody answers');
    },
    { concurrency: 1 },
  );
  expect(gone.map(({ outcome }) => outcome)).toEqual([...Array(5).fill('failed'), ...Array(5).fill('not-tried')]);
  let calls = 0;
  const flaky = await actOnJobs(
    ids(20),
    async (id) => {
      if (++calls % 2 === 0) throw new Fault('unavailable', 'now and then');
      return replyOf(id);
    },
    { concurrency: 1 },
  );
  expect(flaky.some(({ outcome }) => outcome === 'not-tried')).toBe(false);
});

it('rejects with any error that is not a Fault', async () => {
  const broken = actOnJobs(ids(1), () => Promise.reject(new TypeError('x is not a function')), { concurrency: 1 });
  await expect(broken).rejects.toThrow(TypeError);
});
