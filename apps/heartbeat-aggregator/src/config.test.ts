import { describeConfig, loadConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { AggregatorConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('heartbeat-aggregator', AggregatorConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/heartbeat-aggregator.md',
  );
});

it('the retention of presence is a duration, a day if nothing is said', () => {
  expect(loadConfig(AggregatorConfig, {}).presenceRetention).toBe(86_400_000);
  expect(loadConfig(AggregatorConfig, { PRESENCE_RETENTION: '90m' }).presenceRetention).toBe(5_400_000);
  expect(() => loadConfig(AggregatorConfig, { PRESENCE_RETENTION: 'long' })).toThrow(
    'PRESENCE_RETENTION: expected a duration of at least 1 second',
  );
});
