// Migrates the schema as soon as the server answers: a component that starts before its server waits for it.
import { backoffMs, sleep } from '@trellis/async';
import { migratePostgres } from './migrate.ts';
import type { Postgres } from './open-postgres.ts';

/** Resolves when the schema is up to date, or `signal` aborts. Logs each failure and retries with backoff, without a limit. */
export async function migrateWhenReachable(postgres: Postgres, signal: AbortSignal): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      await migratePostgres(postgres);
      return;
    } catch (error) {
      const waitMs = Math.round(backoffMs(failures, 200, 5_000));
      postgres.log.warn({ error, failures, waitMs }, 'migrating Postgres failed; retrying');
      await sleep(waitMs, signal);
    }
  }
}
