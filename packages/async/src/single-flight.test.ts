import { expect, it } from 'vitest';
import { singleFlight } from './single-flight.ts';

function heldLoads() {
  const started: PromiseWithResolvers<number>[] = [];
  const load = singleFlight(() => {
    const one = Promise.withResolvers<number>();
    started.push(one);
    return one.promise;
  });
  return { started, load, begun: (count: number) => expect.poll(() => started.length).toBe(count) };
}

it('callers that come during a run share the next run', async () => {
  const { started, load, begun } = heldLoads();
  const first = [load(), load()];
  await begun(1);
  const later = [load(), load()];
  started[0]?.resolve(1);
  expect(await Promise.all(first)).toEqual([1, 1]);
  await begun(2);
  started[1]?.resolve(2);
  expect(await Promise.all(later)).toEqual([2, 2]);
});

it('a failed run rejects for those who share it, and the next run starts all the same', async () => {
  const { started, load, begun } = heldLoads();
  const failed = Promise.allSettled([load(), load()]);
  await begun(1);
  const later = load();
  const error = new Error('no store');
  started[0]?.reject(error);
  expect(await failed).toEqual([
    { status: 'rejected', reason: error },
    { status: 'rejected', reason: error },
  ]);
  await begun(2);
  started[1]?.resolve(2);
  expect(await later).toBe(2);
});
