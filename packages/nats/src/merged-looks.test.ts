import { expect, it } from 'vitest';
import { MergedLooks } from './merged-looks.ts';

const subjectsOf = (job: number, count = 17) => Array.from({ length: count }, (_, index) => `job-${job}.${index}`);

it('looks of the same turn are one request, and each gets what it asked for', async () => {
  const requests: string[][] = [];
  const looks = new MergedLooks(async (subjects) => {
    requests.push(subjects);
    return subjects.filter((subject) => subject.endsWith('.3')).map((subject) => ({ subject }));
  });
  const found = await Promise.all([1, 2, 1].map((job) => looks.lastOf(subjectsOf(job))));
  expect(found).toEqual([[{ subject: 'job-1.3' }], [{ subject: 'job-2.3' }], [{ subject: 'job-1.3' }]]);
  expect(requests).toEqual([[...subjectsOf(1), ...subjectsOf(2)]]);
  await looks.lastOf(subjectsOf(3));
  expect(requests).toHaveLength(2);
});

it('no request asks for more than the server answers', async () => {
  const sizes: number[] = [];
  const looks = new MergedLooks(async (subjects) => {
    sizes.push(subjects.length);
    return subjects.map((subject) => ({ subject }));
  });
  const found = await Promise.all(Array.from({ length: 200 }, (_, job) => looks.lastOf(subjectsOf(job))));
  expect(found.every((messages, job) => messages.length === 17 && messages[0]?.subject === `job-${job}.0`)).toBe(true);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_024);
  expect(sizes).toHaveLength(4);
});

it('a look that fails fails for all who are in it, and the next one is asked anew', async () => {
  let fails = true;
  const looks = new MergedLooks<{ subject: string }>(async () => {
    if (fails) throw new Error('no answer');
    return [];
  });
  const both = await Promise.allSettled([looks.lastOf(['a']), looks.lastOf(['b'])]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  fails = false;
  expect(await looks.lastOf(['a'])).toEqual([]);
});
