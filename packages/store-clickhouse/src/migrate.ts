// Migrates the database: runs migrations/*.sql in the order of their names and records each in schema_migrations. ClickHouse has
// no locks, so every statement is safe to run twice, also concurrently.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ClickHouse } from './open-clickhouse.ts';

/**
 * Creates the database when it is missing and runs the pending migrations. Safe with several replicas at the same time.
 * @returns the names of the migrations run
 */
export async function migrateClickHouse(clickhouse: ClickHouse): Promise<string[]> {
  if ((await pendingMigrations(clickhouse)).length === 0) return [];
  // Loaded only when migrations are pending: it takes 12 MB, and most starts have none.
  const { Umzug } = await import('umzug');
  const run: string[] = [];
  const umzug = new Umzug({
    migrations: {
      glob: ['*.sql', { cwd: FOLDER }],
      resolve: ({ name, path, context }) => ({
        name,
        up: async () => {
          if (path === undefined) throw new Error(`migration ${name} has no file`);
          await context.client.command({ query: readFileSync(path, 'utf8') });
        },
      }),
    },
    context: clickhouse,
    storage: {
      executed: ({ context }) => executedMigrations(context),
      logMigration: async ({ name }) => void run.push(name),
      unlogMigration: () => Promise.reject(new Error('migrations are append-only')),
    },
    logger: undefined,
  });
  try {
    await umzug.up();
  } finally {
    // In one insert: for a new database, one insert for each record would take as long as all migrations.
    if (run.length > 0) await recordMigrations(clickhouse, run);
  }
  return run;
}

/** Creates the database when it is missing. @returns the names of the pending migrations, in order */
export async function pendingMigrations(clickhouse: ClickHouse): Promise<string[]> {
  await clickhouse.ensureDatabase();
  await clickhouse.client.command({ query: MIGRATIONS_TABLE });
  const executed = new Set(await executedMigrations(clickhouse));
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.sql') && !executed.has(name))
    .sort();
}

const FOLDER = fileURLToPath(new URL('../migrations/', import.meta.url));

const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS schema_migrations (
  name String,
  applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree ORDER BY name`;

/** The tables and views that the migrations create, by the migration after which they all exist. */
const CREATED: Record<string, readonly string[]> = {
  '0018_event_minutes.sql': [
    ...['journal', 'generations', 'run_changes', 'run_rows', 'minute_rows', 'event_minute_rows'],
    ...['fold_runs', 'keep_runs', 'count_minutes', 'count_event_minutes'],
    ...['events', 'quarantine', 'runs', 'minutes', 'event_minutes'],
  ],
  '0029_hours.sql': ['hour_rows', 'count_hours', 'hours'],
};

const recordMigrations = ({ client }: ClickHouse, names: readonly string[]) =>
  client.insert({
    table: 'schema_migrations',
    columns: ['name'],
    values: names.map((name) => [name]),
    format: 'JSONCompactEachRow',
    clickhouse_settings: { async_insert: 0 },
  });

/** The recorded migrations; none when a table or view that they created is missing, so that all of them run again. */
async function executedMigrations({ client }: ClickHouse): Promise<string[]> {
  const result = await client.query({
    query: `SELECT
      (SELECT groupUniqArray(name) FROM schema_migrations) AS executed,
      (SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase()) AS existing`,
    format: 'JSONEachRow',
  });
  const [{ executed, existing } = { executed: [], existing: [] }] = await result.json<{
    executed: string[];
    existing: string[];
  }>();
  const created = executed.flatMap((name) => CREATED[name] ?? []);
  return created.every((name) => existing.includes(name)) ? executed.sort() : [];
}
