// For tests: the receiver as a process of its own, with a database of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { freshClickHouse } from '@trellis/test-support';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

export interface ReceiverProcess extends AsyncDisposable {
  /** What clients call the endpoint. */
  url: string;
  store: ClickHouse;
  post(path: string, body: Uint8Array | string, headers?: Record<string, string>): Promise<Response>;
  /** The rows of a query. */
  rows<Row>(query: string): Promise<Row[]>;
  /** Asks it to stop and waits for the end. */
  stop(): Promise<void>;
}

/**
 * @param env settings beside the store's and the ports
 * @param through the way to the store, given its URL
 */
export async function startReceiver(
  env: Record<string, string> = {},
  through: (storeUrl: string) => string = (storeUrl) => storeUrl,
): Promise<ReceiverProcess> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await freshClickHouse());
  const store = stack.use(openClickHouse({ url: database.serverUrl, database: database.database }));
  const child = spawn(process.execPath, [MAIN], {
    env: {
      CLICKHOUSE_URL: through(database.serverUrl),
      OTEL_DATABASE: database.database,
      OTLP_PORT: '0',
      FLUSH_INTERVAL_MS: '50',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const stop = async () => {
    child.kill('SIGTERM');
    await closed;
  };
  stack.defer(stop);
  const { port } = await new Promise<{ port: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('OTLP is served')) resolve(JSON.parse(line));
    });
    void closed.then(() => reject(new Error('the receiver ended before it served')));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    store,
    stop,
    post: (path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : new Uint8Array(body),
        headers: { 'content-type': 'application/x-protobuf', ...headers },
      }),
    async rows<Row>(query: string) {
      return (await store.client.query({ query, format: 'JSONEachRow' })).json<Row>();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
