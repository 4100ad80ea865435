// A NATS server with JetStream for one test file, which may kill and restart it.
// Streams are left to the test.
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer } from '@trellis/devstack';
import { removeFolder, tempFolder } from './temp-folder.ts';

export interface TestNatsOptions {
  /** Lines added to the server's configuration. */
  extraConfig?: string;
  /** Restart it if it ends unexpectedly, as the stack does. Default: false. */
  supervise?: boolean;
}

export interface TestNats extends AsyncDisposable {
  readonly url: string;
  /** Base of the HTTP monitoring (`/varz`, `/jsz`, …). */
  readonly monitorUrl: string;
  readonly server: NatsServer;
  /** A connection that reconnects quickly and without limit. `stop` closes it. */
  connect(options?: NodeConnectionOptions): Promise<NatsConnection>;
  /** SIGKILL; it stays down until `restart`. */
  kill(): Promise<void>;
  /**
   * Restarts it on the same port with the same store and waits until the connections made here have reconnected. Until then
   * a client loses what it sends, and its requests end with a timeout. `server.restart()` does not wait for them.
   */
  restart(): Promise<void>;
  /** Closes the connections, stops the server, removes its store. */
  stop(): Promise<void>;
}

async function reconnected(connection: NatsConnection): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!connection.isClosed() && Date.now() < deadline) {
    const responded = connection.rtt().then(
      () => true,
      () => false,
    );
    if (await Promise.race([responded, delay(500, false, { ref: false })])) return;
    await delay(10);
  }
}

/** Starts the server on free ports with a store in the temporary folder. */
export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const storeDir = tempFolder('nats');
  const server = await startNatsServer({ storeDir, ...options });
  const connections: NatsConnection[] = [];
  const stop = async () => {
    // close, not drain: a test that stops its server early must not wait.
    await Promise.all(connections.map((connection) => connection.close().catch(() => {})));
    await server.stop();
    removeFolder(storeDir);
  };
  return {
    url: server.url,
    monitorUrl: server.monitorUrl,
    server,
    async connect(connectOptions = {}) {
      const connection = await connect({
        servers: server.url,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 25,
        reconnectJitter: 10,
        ...connectOptions,
      });
      connections.push(connection);
      return connection;
    },
    kill: () => server.kill(),
    async restart() {
      await server.restart();
      await Promise.all(connections.map(reconnected));
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
