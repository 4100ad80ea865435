// A NATS server with JetStream that belongs to one test suite, which may kill and restart it.
// Streams are left to the suite.
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';
import { type NatsServer, startNatsServer } from '@trellis/devstack';
import { removeFolder, tempFolder } from './temp-folder.ts';

export interface TestNatsOptions {
  /** Lines added to the server's configuration. */
  extraConfig?: string;
  /** Start it again when it ends unasked, as the stack does; no when absent. */
  supervise?: boolean;
}

export interface TestNats extends AsyncDisposable {
  readonly url: string;
  /** Base of the HTTP monitoring (`/varz`, `/jsz`, …). */
  readonly monitorUrl: string;
  readonly server: NatsServer;
  /** A connection that reconnects quickly and for ever, and that `stop` closes. */
  connect(options?: NodeConnectionOptions): Promise<NatsConnection>;
  /** SIGKILL; it stays down until `restart`. */
  kill(): Promise<void>;
  /**
   * Starts it again on the same port with the same store and waits until the connections made here are back: what a
   * client is asked to send meanwhile it loses, and the asker waits for its own timeout. `server.restart()` does not
   * wait for them.
   */
  restart(): Promise<void>;
  /** Closes the connections, stops the server, removes its store. */
  stop(): Promise<void>;
}

async function reconnected(connection: NatsConnection): Promise<void> {
  const patience = Date.now() + 5_000;
  while (!connection.isClosed() && Date.now() < patience) {
    const answered = connection.rtt().then(
      () => true,
      () => false,
    );
    if (await Promise.race([answered, delay(500, false, { ref: false })])) return;
    await delay(10);
  }
}

/** Starts the server on free ports with a store in the temporary folder. */
export async function startTestNats(options: TestNatsOptions = {}): Promise<TestNats> {
  const storeDir = tempFolder('nats');
  const server = await startNatsServer({ storeDir, ...options });
  const connections: NatsConnection[] = [];
  const stop = async () => {
    // close, not drain: a test that stops its server early must not wait for it.
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
