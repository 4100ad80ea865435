// Brings the database to this version's tables and views: migrations/*.sql in the order of their names, each recorded
// in schema_migrations. ClickHouse has no lock to take: every statement can run twice, also at the same time.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ClickHouse } from './open-clickhouse.ts';

/**
 * Makes the database when it is missing and runs what was not run there yet. Safe with several replicas at once.
 * @returns the names of the migrations run
 */
export async function migrateClickHouse(clickhouse: ClickHouse): Promise<string[]> {
  if ((await pendingMigrations(clickhouse)).length === 0) return [];
  // Loaded where it has something to do: it takes 12 MB, and most starts find everything done.
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
      unlogMigration: () => Promise.reject(new Error('migrations are only appended')),
    },
    logger: undefined,
  });
  try {
    await umzug.up();
  } finally {
    // Together: for a new database the records would take as long as all the rest.
    if (run.length > 0) await recordMigrations(clickhouse, run);
  }
  return run;
}

/** Makes the database when it is missing. @returns the names of the migrations that were not run there yet, in their order */
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

/** The tables and views that the migrations come to, by the one after which they are there. */
const MADE: Record<string, readonly string[]> = {
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

/** None when something is missing that they made: what was dropped by hand is made again. */
async function executedMigrations({ client }: ClickHouse): Promise<string[]> {
  const result = await client.query({
    query: `SELECT
      (SELECT groupUniqArray(name) FROM schema_migrations) AS executed,
      (SELECT groupArray(name) FROM system.tables WHERE database = currentDatabase()) AS there`,
    format: 'JSONEachRow',
  });
  const [{ executed, there } = { executed: [], there: [] }] = await result.json<{
    executed: string[];
    there: string[];
  }>();
  const made = executed.flatMap((name) => MADE[name] ?? []);
  return made.every((name) => there.includes(name)) ? executed.sort() : [];
}
