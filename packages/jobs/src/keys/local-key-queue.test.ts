import type { LifecycleEvent } from '@trellis/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Delivery } from '../delivery/delivery.ts';
import { LocalKeyQueue } from './local-key-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function workOf(key: string, jobId: string): Delivery {
  const origin = { sequence: 1, event: 'created' as const };
  const work = { key: `${jobId}:1`, jobId, origin, event: {} as LifecycleEvent, workSequence: 1 };
  const delivery = new Delivery(work, undefined, 1_000);
  delivery.key = { service: 's', jobType: 't', key, keyHash: key };
  return delivery;
}
const never = () => expect.unreachable();

it('a key is taken while as much of its work is in turn as may run at a time; other keys are not', () => {
  const turns = new LocalKeyQueue(2, 1_000, never);
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.enter(first);
  expect(turns.isFull(second)).toBe(false);
  turns.enter(second);
  expect(turns.isFull(workOf('k', 'c'))).toBe(true);
  expect(turns.isFull(workOf('other', 'd'))).toBe(false);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.isFull(workOf('k', 'c'))).toBe(false);
});

it('whoever leaves its turn is told what has waited longest for it, once', () => {
  const turns = new LocalKeyQueue(1, 1_000, never);
  const [first, second, third] = [workOf('k', 'a'), workOf('k', 'b'), workOf('k', 'c')];
  turns.enter(first);
  for (const delivery of [second, third]) turns.add(delivery);
  expect(turns.waiting).toBe(2);
  expect(turns.leave(first)).toBe(second);
  turns.enter(second);
  expect(turns.find('k', 'c')).toBe(third);
  expect(turns.leave(second)).toBe(third);
  expect(turns.find('k', 'c')).toBeUndefined();
  expect(turns.waiting).toBe(0);
});

it('a turn that goes on with the next work of its key is nobody else’s', () => {
  const turns = new LocalKeyQueue(1, 1_000, never);
  const [first, second, third] = [workOf('k', 'a'), workOf('k', 'b'), workOf('k', 'c')];
  turns.enter(first);
  for (const delivery of [second, third]) turns.add(delivery);
  expect(turns.delete(third)).toBe(true);
  expect(turns.delete(third)).toBe(false);
  turns.enter(third);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.leave(third)).toBe(second);
});

it('what has waited in vain is dismissed, and waits no more', () => {
  const dismissed: Delivery[] = [];
  const turns = new LocalKeyQueue(1, 1_000, (delivery) => void dismissed.push(delivery));
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.add(second);
  vi.advanceTimersByTime(1_000);
  expect(dismissed).toEqual([second]);
  expect(turns.find('k', 'b')).toBeUndefined();
  expect(turns.leave(first)).toBeUndefined();
});

it('all that waits can be taken', () => {
  const turns = new LocalKeyQueue(1, 1_000, never);
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.add(second);
  expect(turns.clear()).toEqual([second]);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.waiting).toBe(0);
});
