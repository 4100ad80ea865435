// Migrates the schema: runs the .sql files of migrations/ in the order of their names, each once. Files are only added.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Postgres, Queryable } from './open-postgres.ts';

/** One hour: a migration may rewrite a large table. */
const MIGRATION_TIMEOUT_MS = 3_600_000;
const FOLDER = fileURLToPath(new URL('../../migrations', import.meta.url));

/**
 * Applies the pending migrations in one transaction: a migration that fails leaves the schema unchanged. Safe when several
 * processes start at the same time: one migrates, the others wait for it.
 * @returns names of the migrations applied now
 */
export async function migratePostgres(postgres: Postgres): Promise<string[]> {
  const { schema, log } = postgres;
  return postgres.transaction(async (client) => {
    const lock = `trellis jobs migrations of ${schema}`;
    await client.query('select pg_advisory_xact_lock(hashtext($1))', [lock], MIGRATION_TIMEOUT_MS);
    await client.query(`create schema if not exists ${schema}`);
    await client.query(
      'create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    const names = readdirSync(FOLDER)
      .filter((name) => name.endsWith('.sql'))
      .sort();
    const storage = migrationTable(client);
    const executed = new Set(await storage.executed());
    if (names.every((name) => executed.has(name))) return [];
    // Loaded only when migrations are pending: it takes 12 MB, and most starts have none.
    const { Umzug } = await import('umzug');
    const umzug = new Umzug({
      migrations: names.map((name) => ({
        name,
        up: () => client.query(readFileSync(join(FOLDER, name), 'utf8'), undefined, MIGRATION_TIMEOUT_MS),
      })),
      storage,
      logger: undefined,
    });
    const applied = (await umzug.up()).map(({ name }) => name);
    if (applied.length > 0) log.info({ schema, applied }, 'migrated the Postgres schema');
    return applied;
  });
}

const migrationTable = (client: Queryable) => ({
  async executed(): Promise<string[]> {
    const { rows } = await client.query<{ name: string }>('select name from schema_migrations order by name');
    return rows.map(({ name }) => name);
  },
  async logMigration({ name }: { name: string }): Promise<void> {
    await client.query('insert into schema_migrations (name) values ($1)', [name]);
  },
  async unlogMigration({ name }: { name: string }): Promise<void> {
    await client.query('delete from schema_migrations where name = $1', [name]);
  },
});
