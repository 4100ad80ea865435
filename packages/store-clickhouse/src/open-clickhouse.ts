// Opens the connection to ClickHouse and creates its database. migrate.ts creates the tables.
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';

export const DEFAULT_CLICKHOUSE_DATABASE = 'trellis_jobs';

export interface ClickHouseOptions {
  /** `http://user:password@host:port`, optionally with `/database`. */
  url: string;
  /** Default: the one in the URL, else `trellis_jobs`. */
  database?: string | undefined;
  /** Timeout of one request in milliseconds; default 60,000. */
  requestTimeoutMs?: number | undefined;
}

export interface ClickHouse extends AsyncDisposable {
  readonly client: ClickHouseClient;
  readonly database: string;
  /** @throws when the server does not answer or refuses the request */
  ping(): Promise<void>;
  /** Creates the database when it is missing. */
  ensureDatabase(): Promise<void>;
  close(): Promise<void>;
}

/** Prepares a connection; sends no request yet. */
export function openClickHouse(options: ClickHouseOptions): ClickHouse {
  const url = new URL(options.url);
  const database = options.database ?? (decodeURIComponent(url.pathname.slice(1)) || DEFAULT_CLICKHOUSE_DATABASE);
  url.pathname = '';
  const settings = {
    url,
    application: 'trellis-jobs',
    // By default the library logs every failure to the console, with its stack.
    log: { level: ClickHouseLogLevel.OFF },
    request_timeout: options.requestTimeoutMs ?? 60_000,
    compression: { request: false, response: false },
  };
  const client = createClient({ ...settings, database });
  const close = () => client.close();
  return {
    client,
    database,
    close,
    [Symbol.asyncDispose]: close,
    async ping() {
      const answer = await client.ping({ select: true });
      if (!answer.success) throw answer.error;
    },
    async ensureDatabase() {
      // First, so that a user without the right to create databases can use an existing one.
      if (await exists(client)) return;
      // The server refuses every request that names a missing database.
      const outside = createClient(settings);
      try {
        await outside.command({
          query: 'CREATE DATABASE IF NOT EXISTS {database: Identifier}',
          query_params: { database },
        });
      } finally {
        await outside.close();
      }
    },
  };
}

const UNKNOWN_DATABASE = '81';

async function exists(client: ClickHouseClient): Promise<boolean> {
  try {
    await client.command({ query: 'SELECT 1' });
    return true;
  } catch (error) {
    if (error instanceof ClickHouseError && error.code === UNKNOWN_DATABASE) return false;
    throw error;
  }
}
