// Three private servers for a test with the streams created, and the environment with which components find them.
import type { NatsConnection } from '@nats-io/transport-node';
import { connectNats, provision } from '@trellis/nats';
import { freshClickHouse, freshPostgres, startTestNats } from '@trellis/test-support';

export interface Servers extends AsyncDisposable {
  nc: NatsConnection;
  postgresUrl: string;
  clickhouse: { url: string; database: string };
  /** For `startComponent`. */
  env: Record<string, string>;
}

export async function startServers(): Promise<Servers> {
  await using starting = new AsyncDisposableStack();
  const nats = starting.use(await startTestNats());
  const postgres = starting.use(await freshPostgres());
  const { serverUrl: url, database } = starting.use(await freshClickHouse());
  const nc = await connectNats({ url: nats.url, name: 'test' });
  starting.defer(() => nc.close());
  await provision(nc);
  const started = starting.move();
  return {
    nc,
    postgresUrl: postgres.url,
    clickhouse: { url, database },
    env: { NATS_URL: nats.url, DATABASE_URL: postgres.url, CLICKHOUSE_URL: url, CLICKHOUSE_DATABASE: database },
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}
