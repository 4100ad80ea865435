import type { RequestPipe } from '@trellis/nats';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AckBatcher } from './ack-batcher.ts';
import type { Delivery } from './delivery.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const acked: string[] = [];
const work = (name: string) => ({ ackInBatch: () => acked.push(name) }) as unknown as Delivery;
const pipe = {} as RequestPipe;

beforeEach(() => acked.splice(0));

it('work that is done within a moment is acked together, in order', () => {
  const acks = new AckBatcher(pipe);
  acks.add(work('a'));
  vi.advanceTimersByTime(10);
  acks.add(work('b'));
  expect(acked).toEqual([]);
  vi.advanceTimersByTime(10);
  expect(acked).toEqual(['a', 'b']);
  acks.add(work('c'));
  vi.advanceTimersByTime(20);
  expect(acked).toEqual(['a', 'b', 'c']);
});

it('what was gathered is sent at once when nothing more is to come, and only once', () => {
  const acks = new AckBatcher(pipe);
  acks.add(work('a'));
  void acks.flush();
  expect(acked).toEqual(['a']);
  vi.advanceTimersByTime(100);
  expect(acked).toEqual(['a']);
});
