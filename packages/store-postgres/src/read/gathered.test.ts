import { expect, it } from 'vitest';
import { Gathered } from './gathered.ts';

/** Batches that are answered when the test says so: every key with its text and the number of its batch. */
function heldBatches(options = { atOnce: 1, maxKeys: 10 }) {
  const batches: { keys: number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const gathered = new Gathered<number, string>((keys) => {
    const number = batches.length + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Map<number, string>>();
    const known = keys.filter((key) => key >= 0);
    const answer = () => resolve(new Map(known.map((key) => [key, `${key} of batch ${number}`])));
    batches.push({ keys, answer, fail: reject });
    return promise;
  }, options);
  const begun = (count: number) => expect.poll(() => batches.length).toBe(count);
  return { gathered, batches, begun };
}

it('what is asked together is one batch, what is asked meanwhile the next one', async () => {
  const { gathered, batches, begun } = heldBatches();
  const first = [gathered.load(1), gathered.load(2)];
  await begun(1);
  const later = [gathered.load(3), gathered.load(1), gathered.load(3)];
  batches[0]?.answer();
  expect(await Promise.all(first)).toEqual(['1 of batch 1', '2 of batch 1']);
  await begun(2);
  batches[1]?.answer();
  // Key 1 was under way already, but an answer may not be older than its question.
  expect(await Promise.all(later)).toEqual(['3 of batch 2', '1 of batch 2', '3 of batch 2']);
  expect(batches.map(({ keys }) => keys)).toEqual([
    [1, 2],
    [3, 1],
  ]);
});

it('no more batches run at once, and none has more keys, than is allowed', async () => {
  const { gathered, batches, begun } = heldBatches({ atOnce: 2, maxKeys: 2 });
  const asked = [1, 2, 3, 4, 5].map((key) => gathered.load(key));
  await begun(2);
  batches[1]?.answer();
  await begun(3);
  for (const { answer } of batches) answer();
  await Promise.all(asked);
  expect(batches.map(({ keys }) => keys)).toEqual([[1, 2], [3, 4], [5]]);
});

it('a failure is that of its batch alone, and a key without an answer has none', async () => {
  const { gathered, batches, begun } = heldBatches();
  const failed = Promise.allSettled([gathered.load(1), gathered.load(2)]);
  await begun(1);
  const later = gathered.load(-1);
  const error = new Error('no store');
  batches[0]?.fail(error);
  expect(await failed).toEqual([
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
  ]);
  await begun(2);
  batches[1]?.answer();
  expect(await later).toBeUndefined();
});
