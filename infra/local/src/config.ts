// The settings of `npm start` from the environment. The components' settings are passed on unchanged.
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExternalUrls } from '@trellis/devstack';

/** The repository's root. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface LocalConfig {
  /** Folder of data, passwords, logs and `run.json`: `TRELLIS_HOME`, or `.trellis` in the checkout. */
  home: string;
  /** First of the servers' four ports: `TRELLIS_PORT_BASE`. Default: free ports. */
  portBase: number | undefined;
  /** External servers to use instead of the embedded ones: `NATS_URL`, `DATABASE_URL`, `CLICKHOUSE_URL`. */
  external: ExternalUrls;
}

/** @throws Error naming the variable and the expected value */
export function readConfig(env: NodeJS.ProcessEnv = process.env): LocalConfig {
  const base = env.TRELLIS_PORT_BASE;
  if (base && !/^\d+$/.test(base)) {
    throw new Error(`TRELLIS_PORT_BASE must be a port number such as 24000, not "${base}"`);
  }
  return {
    home: env.TRELLIS_HOME ? resolve(env.TRELLIS_HOME) : resolve(root, '.trellis'),
    portBase: base ? Number(base) : undefined,
    external: {
      nats: env.NATS_URL || undefined,
      postgres: env.DATABASE_URL || undefined,
      clickhouse: env.CLICKHOUSE_URL || undefined,
    },
  };
}
