// A new, empty database on the shared PostgreSQL.
// Its tables are left to the migrations of the caller.
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { sharedServerUrl } from './shared-servers.ts';

export interface FreshPostgres extends AsyncDisposable {
  /** `postgres://user:password@127.0.0.1:port/database` */
  url: string;
  database: string;
}

/** Creates a database; disposing drops it and closes its connections. */
export async function freshPostgres(): Promise<FreshPostgres> {
  const server = await sharedServerUrl('postgres');
  const database = `t_${randomBytes(6).toString('hex')}`;
  await run(server, `CREATE DATABASE ${database} TEMPLATE template0`);
  const url = new URL(server);
  url.pathname = `/${database}`;
  return {
    url: url.href,
    database,
    [Symbol.asyncDispose]: () => run(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
  };
}

async function run(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
