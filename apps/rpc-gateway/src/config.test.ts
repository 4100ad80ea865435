import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { GatewayConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('rpc-gateway', GatewayConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/rpc-gateway.md',
  );
});

it.for([
  ['https://grafana/explore?traceId={traceId}', true],
  ['https://grafana/explore', false],
  ['grafana {traceId}', false],
  ['javascript:alert("{traceId}")', false],
] as const)('%s is a template for links to traces: %s', ([traceUrlTemplate, accepted]) => {
  expect(GatewayConfig.safeParse({ traceUrlTemplate }).success).toBe(accepted);
});
