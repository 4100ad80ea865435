import type { LifecycleEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { Delivery } from './delivery.ts';
import { DeliveryRegistry } from './delivery-registry.ts';

const work = (jobId: string, sequence: number) =>
  new Delivery(
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
  const inHand = new DeliveryRegistry();
  const first = work('a', 1);
  const again = work('a', 9);
  for (const delivery of [first, work('b', 2)]) inHand.add(delivery);
  expect(inHand.othersOfJob(first)).toEqual([]);
  expect(inHand.othersOfJob(again)).toEqual([first]);
  inHand.add(again);
  expect(inHand.othersOfJob(first)).toEqual([again]);
  inHand.delete(again);
  inHand.delete(again);
  expect(inHand.othersOfJob(first)).toEqual([]);
  inHand.delete(first);
  expect(Array.from(inHand.values(), ({ work: { jobId } }) => jobId)).toEqual(['b']);
  expect(inHand.othersOfJob(again)).toEqual([]);
});
