import { describe, expect, it } from 'vitest';
import { BatchLoader } from './batch-loader.ts';

/** Batches that resolve when the test says so: each key with its text and the number of its batch. */
function heldBatches(options = { maxConcurrent: 1, maxKeys: 10 }) {
  const batches: { keys: number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const loader = new BatchLoader<number, string>((keys) => {
    const number = batches.length + 1;
    const { promise, resolve, reject } = Promise.withResolvers<Map<number, string>>();
    const known = keys.filter((key) => key >= 0);
    const answer = () => resolve(new Map(known.map((key) => [key, `${key} of batch ${number}`])));
    batches.push({ keys, answer, fail: reject });
    return promise;
  }, options);
  const begun = (count: number) => expect.poll(() => batches.length).toBe(count);
  return { loader, batches, begun };
}

it('requests of the same moment share a batch, later ones share the next', async () => {
  const { loader, batches, begun } = heldBatches();
  const first = [loader.load(1), loader.load(2)];
  await begun(1);
  const later = [loader.load(3), loader.load(1), loader.load(3)];
  batches[0]?.answer();
  expect(await Promise.all(first)).toEqual(['1 of batch 1', '2 of batch 1']);
  await begun(2);
  batches[1]?.answer();
  // Key 1 is in flight already, but a value may not be older than its request.
  expect(await Promise.all(later)).toEqual(['3 of batch 2', '1 of batch 2', '3 of batch 2']);
  expect(batches.map(({ keys }) => keys)).toEqual([
    [1, 2],
    [3, 1],
  ]);
});

it('no more batches run at a time, and none has more keys, than allowed', async () => {
  const { loader, batches, begun } = heldBatches({ maxConcurrent: 2, maxKeys: 2 });
  const asked = [1, 2, 3, 4, 5].map((key) => loader.load(key));
  await begun(2);
  batches[1]?.answer();
  await begun(3);
  for (const { answer } of batches) answer();
  await Promise.all(asked);
  expect(batches.map(({ keys }) => keys)).toEqual([[1, 2], [3, 4], [5]]);
});

it('a failure concerns its batch alone, and a key without a value has none', async () => {
  const { loader, batches, begun } = heldBatches();
  const failed = Promise.allSettled([loader.load(1), loader.load(2)]);
  await begun(1);
  const later = loader.load(-1);
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

describe('requests with many keys', () => {
  const subjectsOf = (job: number, count = 17) => Array.from({ length: count }, (_, index) => `job-${job}.${index}`);
  const options = {
    maxConcurrent: Number.POSITIVE_INFINITY,
    maxKeys: 1_024,
    defer: (start: () => void) => void setImmediate(start),
  };

  it('requests of the same turn share one batch, and each gets its own keys', async () => {
    const batches: string[][] = [];
    const loader = new BatchLoader<string, string>(async (subjects) => {
      batches.push(subjects);
      return new Map(
        subjects.filter((subject) => subject.endsWith('.3')).map((subject) => [subject, `last of ${subject}`]),
      );
    }, options);
    const found = await Promise.all([1, 2, 1].map((job) => loader.loadMany(subjectsOf(job))));
    expect(found.map((values) => values.filter((value) => value !== undefined))).toEqual([
      ['last of job-1.3'],
      ['last of job-2.3'],
      ['last of job-1.3'],
    ]);
    expect(batches).toEqual([[...subjectsOf(1), ...subjectsOf(2)]]);
    await loader.loadMany(subjectsOf(3));
    expect(batches).toHaveLength(2);
  });

  it('no batch has more keys than allowed, and no request is split', async () => {
    const sizes: number[] = [];
    const loader = new BatchLoader<string, string>(async (subjects) => {
      sizes.push(subjects.length);
      return new Map(subjects.map((subject) => [subject, subject]));
    }, options);
    const found = await Promise.all(Array.from({ length: 200 }, (_, job) => loader.loadMany(subjectsOf(job))));
    expect(found.every((values, job) => values.length === 17 && values[0] === `job-${job}.0`)).toBe(true);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_024);
    expect(sizes).toHaveLength(4);
  });

  it('a failed batch rejects all its requests, and the next one is loaded', async () => {
    let fails = true;
    const loader = new BatchLoader<string, string>(async () => {
      if (fails) throw new Error('no answer');
      return new Map();
    }, options);
    const both = await Promise.allSettled([loader.loadMany(['a']), loader.loadMany(['b'])]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await loader.loadMany(['a'])).toEqual([undefined]);
  });
});
