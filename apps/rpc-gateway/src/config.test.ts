import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { GatewayConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('rpc-gateway', GatewayConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/rpc-gateway.md',
  );
});
