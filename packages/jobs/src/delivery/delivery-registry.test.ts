import type { LifecycleEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { HeldWork } from './delivery.ts';
import { WorkInHand } from './delivery-registry.ts';

const work = (jobId: string, sequence: number) =>
  new HeldWork(
    {
      key: `${jobId}:${sequence}`,
      jobId,
      origin: { sequence, event: 'created' },
      event: {} as LifecycleEvent,
      workSequence: 1,
    },
    undefined,
    1_000,
  );

it('other work of the same job is found for as long as it is in hand', () => {
  const inHand = new WorkInHand();
  const first = work('a', 1);
  const again = work('a', 9);
  for (const held of [first, work('b', 2)]) inHand.add(held);
  expect(inHand.besides(first)).toEqual([]);
  expect(inHand.besides(again)).toEqual([first]);
  inHand.add(again);
  expect(inHand.besides(first)).toEqual([again]);
  inHand.delete(again);
  inHand.delete(again);
  expect(inHand.besides(first)).toEqual([]);
  inHand.delete(first);
  expect(Array.from(inHand.values(), ({ work: { jobId } }) => jobId)).toEqual(['b']);
  expect(inHand.besides(again)).toEqual([]);
});
