// A table of jobs like that of the projection, filled by one statement instead of by events.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { migratePostgres, openPostgres, type Postgres } from '@trellis/store-postgres';

const FILL = readFileSync(join(import.meta.dirname, 'fill-jobs.sql'), 'utf8');
const FILL_TIMEOUT_MS = 600_000;

/** Creates the tables in `schema` and fills them. */
export async function fillJobTable(url: string, schema: string, jobs: number): Promise<void> {
  await using postgres = openPostgres({ url, schema, maxConnections: 1, queryTimeoutMs: FILL_TIMEOUT_MS });
  await migratePostgres(postgres);
  await postgres.query(`set maintenance_work_mem = '512MB'`);
  // Filling is not measured, and reads are the same.
  await postgres.query('alter table jobs set unlogged');
  await withoutIndexes(postgres, () => postgres.query(FILL, [jobs, new Date().toISOString()]));
  await postgres.query('insert into job_counts select service, type, state, count(*) from jobs group by 1, 2, 3');
  await postgres.query(
    `insert into job_errors
     select md5(last_error)::uuid, lower(last_error), count(*) from jobs where last_error is not null group by last_error`,
  );
  await postgres.query('vacuum analyze jobs');
  await postgres.query('vacuum analyze job_counts');
  await postgres.query('vacuum analyze job_errors');
}

/** Creating indexes at the end is much cheaper than maintaining them while filling. */
async function withoutIndexes(postgres: Postgres, fill: () => Promise<unknown>): Promise<void> {
  const { rows } = await postgres.query<{ indexname: string; indexdef: string }>(
    `select indexname, indexdef from pg_indexes where schemaname = $1 and tablename = 'jobs' and indexname <> 'jobs_pkey'`,
    [postgres.schema],
  );
  for (const { indexname } of rows) await postgres.query(`drop index ${indexname}`);
  await fill();
  for (const { indexdef } of rows) await postgres.query(indexdef);
}
