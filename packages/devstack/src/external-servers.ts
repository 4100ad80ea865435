// Checks that external servers (run by the user) can be reached, before anything depends on them.
// Their content is left to the components.
import { connect } from '@nats-io/transport-node';
import { readNatsUrl } from '@trellis/contracts';
import { Client } from 'pg';
import { withoutPassword } from './redact.ts';

const TIMEOUT_MS = 5_000;

function unreachable(what: string, variable: string, url: string, error: unknown): Error {
  const { message, code } = error as NodeJS.ErrnoException;
  const why = withoutPassword(message || code || String(error));
  // No cause on purpose: drivers put the whole connection string in it.
  return new Error(`${what} at ${withoutPassword(url)} (from ${variable}) cannot be reached: ${why}`);
}

/** Returns the server's version. @throws Error naming `NATS_URL` if it cannot be reached or has no JetStream */
export async function checkNats(url: string): Promise<string> {
  try {
    const { servers, credentials } = readNatsUrl(url);
    const connection = await connect({
      servers,
      ...credentials,
      timeout: TIMEOUT_MS,
      reconnect: false,
      maxReconnectAttempts: 0,
    });
    try {
      const answer = await connection.request('$JS.API.INFO', undefined, { timeout: TIMEOUT_MS }).catch((error) => {
        throw new Error(`JetStream does not answer (${(error as Error).message})`);
      });
      const info = answer.json<{ error?: { description: string } }>();
      if (info.error) throw new Error(`JetStream reports: ${info.error.description}`);
      return connection.info?.version ?? 'unknown';
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw unreachable('NATS', 'NATS_URL', url, error);
  }
}

/** Returns the server's version. @throws Error naming `DATABASE_URL` if it cannot be reached */
export async function checkPostgres(url: string): Promise<string> {
  try {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: TIMEOUT_MS });
    client.on('error', () => {});
    try {
      await client.connect();
      const answer = await client.query<{ server_version: string }>('SHOW server_version');
      return answer.rows[0]?.server_version ?? 'unknown';
    } finally {
      await client.end().catch(() => {});
    }
  } catch (error) {
    throw unreachable('PostgreSQL', 'DATABASE_URL', url, error);
  }
}

/** Returns the server's version. @throws Error naming `CLICKHOUSE_URL` if it cannot be reached */
export async function checkClickHouse(url: string): Promise<string> {
  try {
    const { protocol, host, username, password } = new URL(url);
    const response = await fetch(`${protocol}//${host}/`, {
      method: 'POST',
      body: 'SELECT version()',
      headers: {
        ...(username && { 'X-ClickHouse-User': decodeURIComponent(username) }),
        ...(password && { 'X-ClickHouse-Key': decodeURIComponent(password) }),
        Connection: 'close',
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: Error) => {
      // The message is only "fetch failed"; the reason is in the cause.
      throw error.cause ?? error;
    });
    const text = (await response.text()).trim();
    if (!response.ok) throw new Error(`HTTP ${response.status}: ${text.split('\n')[0]?.slice(0, 200)}`);
    return text;
  } catch (error) {
    throw unreachable('ClickHouse', 'CLICKHOUSE_URL', url, error);
  }
}
