import type { ServerResponse } from 'node:http';
import { metrics } from '@opentelemetry/api';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { countMetric, observeMetrics, recordMetric } from '@trellis/instrumentation';
import { expect, test } from 'vitest';
import { PrometheusReader } from './prometheus-reader.ts';

const reader = new PrometheusReader();
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));

async function scrape(): Promise<string> {
  const written: string[] = [];
  const response = { writeHead: () => ({ end: (body: string) => written.push(body) }) };
  await reader.answer(response as unknown as ServerResponse);
  return written.join('');
}

test('metrics are named with their unit, typed, and explained', async () => {
  countMetric('trellis.rpc.requests', { method: 'Jobs.Get', code: 'ok' });
  recordMetric('trellis.rpc.duration', { method: 'Jobs.Get' }, 0.02);
  const text = await scrape();
  expect(text).toContain('# TYPE trellis_rpc_requests_total counter');
  expect(text).toContain('trellis_rpc_requests_total{method="Jobs.Get",code="ok"} 1\n');
  expect(text).toContain('# HELP trellis_rpc_duration_seconds Time from');
  expect(text).toContain('trellis_rpc_duration_seconds_bucket{method="Jobs.Get",le="0.025"} 1\n');
  expect(text.endsWith('\n')).toBe(true);
  expect(text).not.toContain('# UNIT');
});

test('a gauge that is not observed any more is gone from the next scrape', async () => {
  const seen = new Set(['pending', 'dead']);
  observeMetrics(['trellis.queue.jobs'], (observe) => {
    for (const state of seen) observe('trellis.queue.jobs', { service: 's', type: 't', state }, 1);
  });
  expect(await scrape()).toContain('state="dead"');
  seen.delete('dead');
  const text = await scrape();
  expect(text).toContain('state="pending"');
  expect(text).not.toContain('state="dead"');
});
