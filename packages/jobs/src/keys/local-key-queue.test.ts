import type { LifecycleEvent } from '@trellis/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HeldWork } from '../delivery/delivery.ts';
import { KeyTurns } from './local-key-queue.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function workOf(key: string, jobId: string): HeldWork {
  const origin = { sequence: 1, event: 'created' as const };
  const work = { key: `${jobId}:1`, jobId, origin, event: {} as LifecycleEvent, workSequence: 1 };
  const held = new HeldWork(work, undefined, 1_000);
  held.key = { service: 's', jobType: 't', key, keyHash: key };
  return held;
}
const never = () => expect.unreachable();

it('a key is taken while as much of its work is in turn as may run at a time; other keys are not', () => {
  const turns = new KeyTurns(2, 1_000, never);
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.enter(first);
  expect(turns.isTaken(second)).toBe(false);
  turns.enter(second);
  expect(turns.isTaken(workOf('k', 'c'))).toBe(true);
  expect(turns.isTaken(workOf('other', 'd'))).toBe(false);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.isTaken(workOf('k', 'c'))).toBe(false);
});

it('whoever leaves its turn is told what has waited longest for it, once', () => {
  const turns = new KeyTurns(1, 1_000, never);
  const [first, second, third] = [workOf('k', 'a'), workOf('k', 'b'), workOf('k', 'c')];
  turns.enter(first);
  for (const held of [second, third]) turns.wait(held);
  expect(turns.waiting).toBe(2);
  expect(turns.leave(first)).toBe(second);
  turns.enter(second);
  expect(turns.find('k', 'c')).toBe(third);
  expect(turns.leave(second)).toBe(third);
  expect(turns.find('k', 'c')).toBeUndefined();
  expect(turns.waiting).toBe(0);
});

it('a turn that goes on with the next work of its key is nobody else’s', () => {
  const turns = new KeyTurns(1, 1_000, never);
  const [first, second, third] = [workOf('k', 'a'), workOf('k', 'b'), workOf('k', 'c')];
  turns.enter(first);
  for (const held of [second, third]) turns.wait(held);
  expect(turns.delete(third)).toBe(true);
  expect(turns.delete(third)).toBe(false);
  turns.enter(third);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.leave(third)).toBe(second);
});

it('what has waited in vain is dismissed, and waits no more', () => {
  const dismissed: HeldWork[] = [];
  const turns = new KeyTurns(1, 1_000, (held) => void dismissed.push(held));
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.wait(second);
  vi.advanceTimersByTime(1_000);
  expect(dismissed).toEqual([second]);
  expect(turns.find('k', 'b')).toBeUndefined();
  expect(turns.leave(first)).toBeUndefined();
});

it('all that waits can be taken', () => {
  const turns = new KeyTurns(1, 1_000, never);
  const [first, second] = [workOf('k', 'a'), workOf('k', 'b')];
  turns.enter(first);
  turns.wait(second);
  expect(turns.clear()).toEqual([second]);
  expect(turns.leave(first)).toBeUndefined();
  expect(turns.waiting).toBe(0);
});
