// The connection pool: sets the schema, the time zone and the type parsers that the queries rely on.
import { type Logger, silentLogger } from '@trellis/async';
import pg from 'pg';
import { allPipelined } from './pipelined-statements.ts';

export interface PostgresOptions {
  url: string;
  /** Schema of all tables; default `trellis_jobs`. */
  schema?: string;
  maxConnections?: number;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  /** Session settings of every connection, such as `statement_timeout`. */
  settings?: Record<string, string>;
  /** Longest wait for a result, in milliseconds, before the connection is closed; default 60,000. */
  queryTimeoutMs?: number;
  log?: Logger;
}

export type Row = Record<string, unknown>;

/** A statement that each connection keeps prepared: the server parses it once, and mostly plans it once. */
export interface PreparedSql {
  /** Unique for each text. */
  name: string;
  text: string;
}

/** Runs one statement with `$n` parameters, or several statements without parameters. */
export interface Queryable {
  /** @param timeoutMs longest wait for the result, instead of `queryTimeoutMs` */
  query<R extends Row = Row>(
    sql: string | PreparedSql,
    values?: unknown[],
    timeoutMs?: number,
  ): Promise<{ rows: R[]; rowCount: number }>;
}

export interface Postgres extends Queryable, AsyncDisposable {
  readonly schema: string;
  readonly log: Logger;
  /** Runs `work` between `begin` and `commit`; rolls back when it throws. */
  transaction<T>(work: (client: Queryable) => Promise<T>): Promise<T>;
  /** Resolves when the server answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_SCHEMA = 'trellis_jobs';

/**
 * Opens a pool. It connects with the first query, so a server that is down makes that query fail.
 * Reads bigint as a number and timestamptz as RFC 3339 UTC with milliseconds.
 * @throws {Error} when `schema` is not a plain lower-case name
 */
export function openPostgres(options: PostgresOptions): Postgres {
  const { url, schema = DEFAULT_SCHEMA, log = silentLogger(), queryTimeoutMs = 60_000 } = options;
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new Error(`schema: expected lower-case letters, digits and "_", got ${JSON.stringify(schema)}`);
  }
  const settings = { search_path: schema, timezone: 'UTC', datestyle: 'ISO', ...options.settings };
  const pool = new pg.Pool({
    connectionString: url,
    max: options.maxConnections ?? 10,
    application_name: options.applicationName ?? 'trellis-jobs',
    connectionTimeoutMillis: 5_000,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    // Pipelined statements of a transaction share a round trip.
    pipeline: true,
    keepAliveInitialDelayMillis: 10_000,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value.replace(/([\\ ])/g, '\\$1')}`)
      .join(' '),
    types: { getTypeParser },
  });
  // Without a listener, a broken idle connection would end the process.
  pool.on('error', (error) => log.warn({ error }, 'idle Postgres connection broke'));
  pool.on('connect', (client) => client.on('error', (error) => log.debug({ error }, 'Postgres connection broke')));

  return {
    schema,
    log,
    query: (sql, values, timeoutMs) => run(pool, sql, values, timeoutMs),
    transaction: (work) => transaction(pool, work),
    ping: async () => void (await pool.query('select 1')),
    close: () => pool.end(),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

async function run<R extends Row>(
  client: pg.Pool | pg.PoolClient,
  sql: string | PreparedSql,
  values?: unknown[],
  timeoutMs?: number,
) {
  const statement = typeof sql === 'string' ? { text: sql } : sql;
  const config = {
    ...statement,
    ...(values && { values }),
    ...(timeoutMs !== undefined && { query_timeout: timeoutMs }),
  };
  const { rows, rowCount } = await client.query<R>(config);
  return { rows, rowCount: rowCount ?? 0 };
}

async function transaction<T>(pool: pg.Pool, work: (client: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    corkUntilNextTick(client);
    const started = client.query('begin');
    const query: Queryable['query'] = (sql, values, timeoutMs) => run(client, sql, values, timeoutMs);
    // The first statement does not wait for the reply to `begin`.
    const [, result] = await allPipelined(started, work({ query }));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((cause: Error) => {
      broken = cause;
    });
    // A connection whose reply timed out still waits for that reply: do not reuse it.
    if (error instanceof Error && /timeout/i.test(error.message)) broken ??= error;
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Sends the statements of this event loop turn in one socket write: for small statements the write is most of the cost. */
function corkUntilNextTick({ connection: { stream } }: pg.PoolClient): void {
  stream.cork();
  process.nextTick(() => stream.uncork());
}

const BIGINT = 20;
const TIMESTAMPTZ = 1184;

function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (format !== 'binary' && oid === BIGINT) return Number;
  if (format !== 'binary' && oid === TIMESTAMPTZ) return readTimestamp;
  return format === 'binary'
    ? (pg.types.getTypeParser(oid, 'binary') as (text: string) => unknown)
    : pg.types.getTypeParser(oid, 'text');
}

/** `2026-01-31 09:30:00.12+00`, also with a `T` → `2026-01-31T09:30:00.120Z`. The session's time zone is UTC. */
export function readTimestamp(text: string): string {
  const fraction = text[19] === '.' ? text.slice(20, text.indexOf('+')) : '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}
