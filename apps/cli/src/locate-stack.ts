// Finds the address of the NATS server: command line, environment, or the run.json that `npm start` writes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CHECKOUT, type CliConfig } from './config.ts';

export interface Located {
  url: string;
  options: Record<string, unknown>;
  /** Where this address comes from, for messages. */
  source: string;
}

const DEFAULT_URL = 'nats://127.0.0.1:4222';

const RunFile = z.looseObject({
  nats: z.string().min(1),
  natsOptions: z.record(z.string(), z.unknown()).default({}),
});

/** The first of: --nats, NATS_URL, run.json in TRELLIS_HOME (else in the checkout's .trellis), the default address. */
export function locateStack(natsFlag: string | undefined, config: CliConfig): Located {
  const options = config.natsOptions ?? {};
  if (natsFlag !== undefined) return { url: natsFlag, options, source: '--nats' };
  if (config.natsUrl !== undefined) return { url: config.natsUrl, options, source: 'NATS_URL' };
  const file = join(config.trellisHome ?? join(CHECKOUT, '.trellis'), 'run.json');
  const run = readRunFile(file);
  if (run) return { url: run.nats, options: { ...run.natsOptions, ...options }, source: file };
  return { url: DEFAULT_URL, options, source: `the default address, as there is no ${file}` };
}

function readRunFile(file: string): z.infer<typeof RunFile> | undefined {
  try {
    const parsed = RunFile.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
