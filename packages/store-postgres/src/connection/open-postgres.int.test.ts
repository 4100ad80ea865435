import { freshPostgres } from '@trellis/test-support';
import { describe, expect, it } from 'vitest';
import { openPostgres } from './open-postgres.ts';
import { allPipelined } from './pipelined-statements.ts';

describe('a connection to Postgres', () => {
  it('reads instants as RFC 3339 UTC with milliseconds, and whole numbers as numbers', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url });
    const { rows } = await postgres.query(
      `select '2026-01-31 10:30:00.12+01'::timestamptz as fraction, '0001-01-01 00:00:00+00'::timestamptz as first,
              '9999-12-31 23:59:59.999+00'::timestamptz as last, '2026-01-31 09:30:00.123456+00'::timestamptz as micros,
              9007199254740991::bigint as whole, null::timestamptz as nothing`,
    );
    expect(rows).toEqual([
      {
        fraction: '2026-01-31T09:30:00.120Z',
        first: '0001-01-01T00:00:00.000Z',
        last: '9999-12-31T23:59:59.999Z',
        micros: '2026-01-31T09:30:00.123Z',
        whole: 9_007_199_254_740_991,
        nothing: null,
      },
    ]);
  });

  it('applies its settings to every session', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({
      url: database.url,
      schema: 'elsewhere',
      applicationName: 'a test',
      settings: { statement_timeout: '1234ms' },
    });
    const { rows } = await postgres.query(
      `select current_setting('search_path') as path, current_setting('statement_timeout') as timeout,
              current_setting('application_name') as name`,
    );
    expect(rows).toEqual([{ path: 'elsewhere', timeout: '1234ms', name: 'a test' }]);
  });

  it('rolls back a transaction that throws, and stays usable', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url, schema: 'public', maxConnections: 1 });
    await postgres.query('create table t (x int)');
    const failing = postgres.transaction(async (client) => {
      await client.query('insert into t values (1)');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect((await postgres.query('select * from t')).rows).toEqual([]);
  });

  it('runs pipelined statements in order, and rolls all of them back when one fails', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url, schema: 'public', maxConnections: 1 });
    await postgres.query('create table t (x int primary key)');
    const insert = { name: 'insert', text: 'insert into t values ($1)' };
    const inserted = (...values: number[]) =>
      postgres.transaction((client) => allPipelined(...values.map((value) => client.query(insert, [value]))));
    await expect(inserted(1, 2, 1, 3)).rejects.toMatchObject({ code: '23505' });
    expect((await postgres.query('select * from t')).rows).toEqual([]);
    await inserted(1, 2, 3);
    expect((await postgres.query('select * from t')).rows).toEqual([{ x: 1 }, { x: 2 }, { x: 3 }]);
  });

  it('reconnects after losing its sessions', async () => {
    await using database = await freshPostgres();
    await using postgres = openPostgres({ url: database.url });
    await using other = openPostgres({ url: database.url });
    const cut = () =>
      other.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
    await postgres.ping();
    await cut();
    const inWork = postgres.transaction(async (client) => {
      await client.query('select 1');
      await cut();
      await client.query('select 2');
    });
    await expect(inWork).rejects.toThrow();
    await postgres.ping();
  });

  it.each(['Jobs', 'a;drop', '', '1x'])('refuses the schema name %j', (schema) => {
    expect(() => openPostgres({ url: 'postgres://127.0.0.1/x', schema })).toThrow(
      'schema: expected lower-case letters',
    );
  });
});
