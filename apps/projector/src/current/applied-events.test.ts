import type { LifecycleEvent } from '@trellis/contracts';
import { recordTelemetry } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { AppliedEvents } from './applied-events.ts';

test('events are counted by service, type and kind', async () => {
  await using recorded = recordTelemetry();
  const applied = new AppliedEvents();
  const add = (service: string, jobType: string, eventType: LifecycleEvent['eventType'], times: number) => {
    for (let i = 0; i < times; i++) applied.add({ service, jobType, eventType } as LifecycleEvent);
  };
  add('orders', 'charge', 'retry', 3);
  add('orders', 'charge', 'dead', 1);
  add('orders', 'notify', 'retry', 2);
  applied.count();
  const counted = (type: string, event_type: string) =>
    recorded.metric('trellis.job.events', { service: 'orders', type, event_type });
  expect(await counted('charge', 'retry')).toBe(3);
  expect(await counted('charge', 'dead')).toBe(1);
  expect(await counted('notify', 'retry')).toBe(2);
  expect(await counted('notify', 'dead')).toBeUndefined();
});
