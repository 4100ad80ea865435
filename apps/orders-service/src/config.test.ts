import { describeConfig } from '@trellis/runtime';
import { expect, it } from 'vitest';
import { OrdersServiceConfig } from './config.ts';

it('the documented configuration is the one of the schema', async () => {
  await expect(describeConfig('orders-service', OrdersServiceConfig)).toMatchFileSnapshot(
    '../../../docs/configuration/orders-service.md',
  );
});
