// A new, empty database on the shared ClickHouse.
// Its tables are left to the migrations of the caller.
import { randomBytes } from 'node:crypto';
import { sharedServerUrl } from './shared-servers.ts';

export interface FreshClickHouse extends AsyncDisposable {
  /** `http://user:password@127.0.0.1:port/database`, the form that the ClickHouse client takes. */
  url: string;
  /** The same without the database. */
  serverUrl: string;
  database: string;
}

/** Creates a database; disposing drops it. */
export async function freshClickHouse(): Promise<FreshClickHouse> {
  const serverUrl = await sharedServerUrl('clickhouse');
  const database = `t_${randomBytes(6).toString('hex')}`;
  await run(serverUrl, `CREATE DATABASE ${database}`);
  return {
    url: `${serverUrl}/${database}`,
    serverUrl,
    database,
    [Symbol.asyncDispose]: () => run(serverUrl, `DROP DATABASE IF EXISTS ${database} SYNC`),
  };
}

async function run(url: string, sql: string): Promise<void> {
  const { origin, username, password } = new URL(url);
  const response = await fetch(origin, {
    method: 'POST',
    body: sql,
    headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password, Connection: 'close' },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`ClickHouse: ${text}`);
}
