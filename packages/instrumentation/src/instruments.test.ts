import { recordTelemetry } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { CATALOGUE, prometheusName } from './catalogue.ts';
import { countMetric, moveMetric, observeMetrics, recordMetric } from './instruments.ts';

test('what is used before an SDK is set up works once it is, with unit and buckets from the catalogue', async () => {
  const labels = { method: 'Jobs.Get', code: 'ok' };
  countMetric('trellis.rpc.requests', labels);
  await using recorded = recordTelemetry();
  countMetric('trellis.rpc.requests', labels, 2);
  recordMetric('trellis.rpc.duration', { method: 'Jobs.Get' }, 0.03);
  moveMetric('trellis.rpc.in_flight', { method: 'Jobs.Get' }, 1);
  moveMetric('trellis.rpc.in_flight', { method: 'Jobs.Get' }, -1);
  expect(await recorded.metric('trellis.rpc.requests', labels)).toBe(2);
  expect(await recorded.metric('trellis.rpc.in_flight', { method: 'Jobs.Get' })).toBe(0);
  expect(await recorded.metric('trellis.rpc.duration', { method: 'Jobs.Get' })).toMatchObject({
    count: 1,
    sum: 0.03,
    buckets: { boundaries: expect.arrayContaining([0.001, 10]) },
  });
  const [duration] = (await recorded.metrics()).filter(({ descriptor }) => descriptor.name === 'trellis.rpc.duration');
  expect(duration?.descriptor.unit).toBe('s');
});

test('a gauge is looked at only when it is read, until its observation ends', async () => {
  await using recorded = recordTelemetry();
  let looks = 0;
  const end = observeMetrics(['trellis.projector.position'], (observe) => {
    looks++;
    observe('trellis.projector.position', { pipeline: 'current' }, 41 + looks);
  });
  expect(looks).toBe(0);
  expect(await recorded.metric('trellis.projector.position', { pipeline: 'current' })).toBe(42);
  end();
  expect(await recorded.metric('trellis.projector.position', { pipeline: 'current' })).toBeUndefined();
});

test('what is counted elsewhere is a counter like any other', async () => {
  await using recorded = recordTelemetry();
  const labels = { method: 'Jobs.Get', code: 'ok' };
  let count = 0;
  observeMetrics(['trellis.rpc.requests'], (observe) => observe('trellis.rpc.requests', labels, count));
  expect(await recorded.metric('trellis.rpc.requests', labels)).toBe(0);
  count = 3;
  expect(await recorded.metric('trellis.rpc.requests', labels)).toBe(3);
  const [requests] = (await recorded.metrics()).filter(({ descriptor }) => descriptor.name === 'trellis.rpc.requests');
  expect(requests).toMatchObject({ isMonotonic: true });
});

test('a look that fails leaves its gauges out and disturbs nothing else', async () => {
  await using recorded = recordTelemetry();
  observeMetrics(['trellis.queue.jobs'], () => Promise.reject(new Error('no database')));
  countMetric('trellis.presence.writes', {});
  expect(await recorded.metric('trellis.presence.writes')).toBe(1);
});

test('every entry of the catalogue has a name of its own, and no label that holds ids', () => {
  const names = CATALOGUE.map(({ name, unit, kind }) => prometheusName({ name, unit, monotonic: kind === 'counter' }));
  expect(new Set(names).size).toBe(names.length);
  for (const { labels } of CATALOGUE) {
    for (const label of Object.keys(labels)) expect(label).not.toMatch(/(^|_)(id|key|sequence|instance)$/);
  }
});

test.each([
  [{ name: 'trellis.rpc.duration', unit: 's', monotonic: false }, 'trellis_rpc_duration_seconds'],
  [{ name: 'trellis.rpc.requests', unit: '{request}', monotonic: true }, 'trellis_rpc_requests_total'],
  [{ name: 'trellis.projector.owner', unit: '1', monotonic: false }, 'trellis_projector_owner'],
])('%o is called %s in Prometheus', (entry, name) => {
  expect(prometheusName(entry)).toBe(name);
});
