import { expect, it } from 'vitest';
import { sharedAnswer } from './shared-answer.ts';

function heldAnswers() {
  const asked: PromiseWithResolvers<number>[] = [];
  const ask = sharedAnswer(() => {
    const one = Promise.withResolvers<number>();
    asked.push(one);
    return one.promise;
  });
  return { asked, ask, begun: (count: number) => expect.poll(() => asked.length).toBe(count) };
}

it('who asks while an answer is under way shares the next one, with all others who do', async () => {
  const { asked, ask, begun } = heldAnswers();
  const first = [ask(), ask()];
  await begun(1);
  const later = [ask(), ask()];
  asked[0]?.resolve(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  await begun(2);
  asked[1]?.resolve(2);
  expect(await Promise.all(later)).toEqual([2, 2]);
});

it('an answer that fails is that of those who share it, and the next is asked for all the same', async () => {
  const { asked, ask, begun } = heldAnswers();
  const failed = Promise.allSettled([ask(), ask()]);
  await begun(1);
  const later = ask();
  const error = new Error('no store');
  asked[0]?.reject(error);
  expect(await failed).toEqual([
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
  ]);
  await begun(2);
  asked[1]?.resolve(2);
  expect(await later).toBe(2);
});
