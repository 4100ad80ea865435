// Everything that can be set of the example service, with its defaults.
import { exampleConfig } from '@trellis/example-service';
import { configOrExit } from '@trellis/runtime';
import { z } from 'zod';

export const ZendeskSyncConfig = z.object({
  requestsPerSecond: z
    .number()
    .min(0)
    .max(2)
    .default(0.5)
    .describe('syncs that are asked for in a second, at most 2; 0: none'),
  ...exampleConfig,
});
export type ZendeskSyncConfig = z.infer<typeof ZendeskSyncConfig>;

export const readConfig = (): ZendeskSyncConfig => configOrExit(ZendeskSyncConfig);
