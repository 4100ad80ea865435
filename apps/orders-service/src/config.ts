// Everything that can be set of the example service, with its defaults.
import { exampleConfig } from '@trellis/example-service';
import { configOrExit } from '@trellis/runtime';
import { z } from 'zod';

export const OrdersServiceConfig = z.object({
  ordersPerSecond: z
    .number()
    .min(0)
    .max(2)
    .default(1)
    .describe('orders that are made up in a second, at most 2; 0: none'),
  ...exampleConfig,
});
export type OrdersServiceConfig = z.infer<typeof OrdersServiceConfig>;

export const readConfig = (): OrdersServiceConfig => configOrExit(OrdersServiceConfig);
