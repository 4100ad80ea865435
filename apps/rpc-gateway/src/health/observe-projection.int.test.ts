import { silentLogger } from '@trellis/async';
import { QueueReader } from '@trellis/store-postgres';
import { recordTelemetry } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { startGateway } from '../testing/gateway-fixture.ts';
import { observeProjection } from './observe-projection.ts';

const log = silentLogger();

test('the depth of each state and the age of the longest waiting job of each queue are gauges', async () => {
  await using recorded = recordTelemetry();
  await using gateway = await startGateway();
  observeProjection({ queues: new QueueReader(gateway.postgres), janitor: gateway.reader }, { log, maxAgeMs: 0 });
  const waiting = await gateway.jobIn('pending', { timestamp: new Date(Date.now() - 90_000).toISOString() });
  await gateway.jobIn('pending');
  await gateway.jobIn('dead');
  await gateway.projected();
  const { service, type } = waiting;
  const depth = (state: string) => recorded.metric('trellis.queue.jobs', { service, type, state });
  expect(await depth('pending')).toBe(2);
  expect(await depth('dead')).toBe(1);
  expect(await depth('failed')).toBe(0);
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
  observeProjection({ queues: { depths, ages: async () => [] }, janitor: { janitorDuties: async () => [] } }, { log });
  expect(asked).toBe(0);
  await Promise.all([recorded.metrics(), recorded.metrics()]);
  expect(await recorded.metric('trellis.queue.jobs', { service: 's' })).toBe(7);
  expect(asked).toBe(1);
});

test('a store that does not answer leaves the gauges out', async () => {
  await using recorded = recordTelemetry();
  const down = () => Promise.reject(new Error('no database'));
  observeProjection({ queues: { depths: down, ages: down }, janitor: { janitorDuties: down } }, { log });
  expect(await recorded.metric('trellis.queue.jobs')).toBeUndefined();
});

test('what the janitor found, and how long nobody has done its duties, are gauges', async () => {
  await using recorded = recordTelemetry();
  const duty = (name: string, problems: number, overdueMs: number) => ({
    duty: name,
    finishedAt: undefined,
    succeededAt: undefined,
    error: undefined,
    problems: Array.from({ length: problems }, () => ({ code: 'lost-jobs', message: 'one' })),
    overdueMs,
  });
  const janitorDuties = async () => [duty('lost-jobs', 2, -500), duty('deadlines', 0, 61_000)];
  observeProjection({ queues: { depths: async () => [], ages: async () => [] }, janitor: { janitorDuties } }, { log });
  const gauge = (name: string, of: string) => recorded.metric(name, { duty: of });
  expect(await gauge('trellis.janitor.problems', 'lost-jobs')).toBe(2);
  expect(await gauge('trellis.janitor.problems', 'deadlines')).toBe(0);
  expect(await gauge('trellis.janitor.overdue', 'lost-jobs')).toBe(0);
  expect(await gauge('trellis.janitor.overdue', 'deadlines')).toBe(61);
});
