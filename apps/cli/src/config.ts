// What the command line takes from its environment, and where the checkout is.
import { fileURLToPath } from 'node:url';
import { loadConfig } from '@trellis/runtime';
import { z } from 'zod';

/** The repository's root. */
export const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));

export const CliConfig = z.object({
  natsUrl: z.string().min(1).optional(),
  natsOptions: z.record(z.string(), z.unknown()).optional(),
  /** Where `npm start` keeps its data and its run.json. */
  trellisHome: z.string().min(1).optional(),
});
export type CliConfig = z.infer<typeof CliConfig>;

/** @throws {ConfigError} naming the variable and what was expected */
export const readConfig = (): CliConfig => loadConfig(CliConfig);
