import { silentLogger } from '@trellis/runtime';
import { QueueReader } from '@trellis/store-postgres';
import { recordTelemetry } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { observeQueues } from './observe-queues.ts';
import { startGateway } from './testing/gateway-fixture.ts';

test('the depth of each state and the age of the longest waiting job of each queue are gauges', async () => {
  await using recorded = recordTelemetry();
  await using gateway = await startGateway();
  observeQueues(new QueueReader(gateway.postgres), silentLogger(), 0);
  const waiting = await gateway.jobIn('pending', { timestamp: new Date(Date.now() - 90_000).toISOString() });
  await gateway.jobIn('pending');
  await gateway.jobIn('dead');
  await gateway.projected();
  const { service, type } = waiting;
  const depth = (state: string) => recorded.metric('trellis.queue.jobs', { service, type, state });
  expect(await depth('pending')).toBe(2);
  expect(await depth('dead')).toBe(1);
  const age = Number(await recorded.metric('trellis.queue.oldest.age', { service, type }));
  expect(age).toBeGreaterThanOrEqual(90);
  expect(age).toBeLessThan(150);

  await gateway.request('Jobs.Cancel', { id: waiting.id });
  await gateway.projected();
  expect(await depth('pending')).toBe(1);
  expect(Number(await recorded.metric('trellis.queue.oldest.age', { service, type }))).toBeLessThan(60);
});

test('the store is asked only while the metrics are read, and once for all who read at the same time', async () => {
  await using recorded = recordTelemetry();
  let asked = 0;
  const depths = async () => {
    asked++;
    return [{ service: 's', type: 't', state: 'pending' as const, count: 7 }];
  };
  observeQueues({ depths, ages: async () => [] }, silentLogger());
  expect(asked).toBe(0);
  await Promise.all([recorded.metrics(), recorded.metrics()]);
  expect(await recorded.metric('trellis.queue.jobs', { service: 's' })).toBe(7);
  expect(asked).toBe(1);
});

test('a store that does not answer leaves the gauges out', async () => {
  await using recorded = recordTelemetry();
  const down = () => Promise.reject(new Error('no database'));
  observeQueues({ depths: down, ages: down }, silentLogger());
  expect(await recorded.metric('trellis.queue.jobs')).toBeUndefined();
});
