import { freshPostgres } from '@trellis/test-support';
import { describe, expect, it } from 'vitest';
import { newJob, openTestCurrentStore } from '../testing/current-store-fixture.ts';
import { describeSchema } from '../testing/describe-schema.ts';
import { foldedJob } from '../testing/folded-job.ts';
import { migratePostgres } from './migrate.ts';
import { openPostgres, type Postgres } from './open-postgres.ts';

const tables = async (postgres: Postgres, schema: string) => {
  const { rows } = await postgres.query<{ tablename: string }>(
    'select tablename from pg_tables where schemaname = $1',
    [schema],
  );
  return rows.map(({ tablename }) => tablename).sort();
};

describe('the migrations', () => {
  it('produce the schema committed in schema.snapshot.sql', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url });
    await migratePostgres(postgres);
    await expect(await describeSchema(postgres)).toMatchFileSnapshot('../../schema.snapshot.sql');
  });

  it('run once when several processes start at the same time', async () => {
    await using database = await freshPostgres();
    await using first = openPostgres({ url: database.url });
    await using second = openPostgres({ url: database.url });
    const applied = await Promise.all([first, second, first, second].map((postgres) => migratePostgres(postgres)));
    expect(applied.filter((names) => names.length > 0)).toHaveLength(1);
    expect(await migratePostgres(second)).toEqual([]);
    const { rows } = await first.query('select name from schema_migrations');
    expect(rows).toEqual(applied.flat().map((name) => ({ name })));
  });

  it('create the tables in the configured schema, beside another one', async () => {
    await using database = await freshPostgres();
    await using one = openPostgres({ url: database.url, schema: 'one' });
    await using two = openPostgres({ url: database.url, schema: 'two' });
    await migratePostgres(one);
    await migratePostgres(two);
    expect(await tables(one, 'two')).toEqual(await tables(one, 'one'));
    expect(await tables(one, 'public')).toEqual([]);
  });

  it('skip the index of error texts when its extension cannot be created', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url });
    await postgres.query('drop schema public');
    await migratePostgres(postgres);
    const schema = await describeSchema(postgres);
    expect(schema).toContain('job_errors');
    expect(schema).not.toContain('gin_trgm_ops');
  });

  it('count the errors of existing jobs', async () => {
    await using test = await openTestCurrentStore();
    const errors = ['No stock', 'no stock', 'No stock', undefined];
    await test.commit(errors.map((lastError, index) => newJob(foldedJob({ id: `J${index}`, lastError }))));
    await test.postgres.query('drop table job_errors');
    await test.postgres.query('drop index jobs_of_error');
    await test.postgres.query(`delete from schema_migrations where name = '0004_error_texts.sql'`);
    expect(await migratePostgres(test.postgres)).toEqual(['0004_error_texts.sql']);
    const { rows } = await test.postgres.query('select lowered, count from job_errors order by count');
    expect(rows).toEqual([
      { lowered: 'no stock', count: 1 },
      { lowered: 'no stock', count: 2 },
    ]);
  });
});
