import type { JsMsg } from '@nats-io/jetstream';
import type { LifecycleEvent } from '@trellis/contracts';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeliveryWatermark } from './delivery-watermark.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = (second: number) => `2026-01-31T09:30:${String(second).padStart(2, '0')}.000Z`;
const arrive = (front: DeliveryWatermark, second: number, pending: number, eventType = 'created') =>
  front.arrived(
    { info: { pending } as JsMsg['info'] },
    {
      event: { timestamp: at(second), eventType } as LifecycleEvent,
    },
  );

it('work that is younger than the newest delivered comes by itself while more is pending', () => {
  const front = new DeliveryWatermark();
  expect(front.willArrive(at(1))).toBe(false);
  arrive(front, 10, 500);
  expect(front.willArrive(at(11))).toBe(true);
  expect(front.willArrive(at(9))).toBe(false);
  arrive(front, 8, 499);
  expect(front.willArrive(at(9))).toBe(false);
  arrive(front, 11, 0);
  expect(front.willArrive(at(12))).toBe(false);
});

it('jobs that were created at the same time come in any order', () => {
  const front = new DeliveryWatermark();
  arrive(front, 10, 500);
  expect(front.willArrive('2026-01-31T09:30:09.700Z')).toBe(true);
  expect(front.willArrive('2026-01-31T09:30:09.400Z')).toBe(false);
});

it('a job that is replayed later says nothing about how far creations were delivered', () => {
  const front = new DeliveryWatermark();
  arrive(front, 10, 500);
  arrive(front, 40, 499, 'retried');
  expect(front.willArrive(at(20))).toBe(true);
});

it('nothing is known to come when nothing has come for a while', () => {
  const front = new DeliveryWatermark();
  arrive(front, 10, 500);
  vi.advanceTimersByTime(101);
  expect(front.willArrive(at(11))).toBe(false);
});
