// The connection to NATS: reconnects forever, says in the log what happens to it.
import { type ConnectionOptions, connect, type NatsConnection } from '@nats-io/transport-node';
import { type Logger, silentLogger, sleep } from '@trellis/async';
import { readNatsUrl, redactUrl } from '@trellis/contracts';

export interface NatsConnectOptions {
  /** One URL or several with commas; may carry credentials. */
  url: string;
  /** Further options of `connect()`, such as credentials. */
  options?: Record<string, unknown> | undefined;
  /** Name shown in the server's connection list. */
  name: string;
  log?: Logger | undefined;
}

/** Connects, waiting for the server if it is not there yet, and stays connected until closed. */
export async function connectNats({
  url,
  options,
  name,
  log = silentLogger(),
}: NatsConnectOptions): Promise<NatsConnection> {
  const { servers, credentials } = readNatsUrl(url);
  const settings: ConnectionOptions = {
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    waitOnFirstConnect: true,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...credentials,
    ...options,
    name,
    servers,
  };
  const connection = await connect(settings);
  log.info({ server: redactUrl(connection.getServer()), version: connection.info?.version }, 'connected to NATS');
  void reportStatus(connection, log);
  return connection;
}

async function reportStatus(connection: NatsConnection, log: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') log.warn({ server: redactUrl(status.server) }, 'disconnected from NATS');
    else if (status.type === 'reconnect') log.info({ server: redactUrl(status.server) }, 'reconnected to NATS');
    else if (status.type === 'error') log.warn({ error: status.error }, 'NATS reports an error');
  }
}

const gates = new WeakMap<NatsConnection, { open: Promise<void>; connected: boolean }>();

function gateOf(connection: NatsConnection): { open: Promise<void>; connected: boolean } {
  const known = gates.get(connection);
  if (known) return known;
  const gate = { open: Promise.resolve(), connected: true };
  gates.set(connection, gate);
  let reopen = () => {};
  const close = () => {
    if (!gate.connected) return;
    gate.connected = false;
    gate.open = new Promise((resolve) => {
      reopen = resolve;
    });
  };
  const watch = async () => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') close();
      if (type === 'reconnect') {
        gate.connected = true;
        reopen();
      }
    }
    reopen();
  };
  void watch();
  return gate;
}

/** Whether the connection stands, as far as this process knows. */
export const isConnected = (connection: NatsConnection): boolean => gateOf(connection).connected;

/**
 * Resolves while the connection stands, else when it stands again, at the latest after `timeoutMs`. What is sent
 * while disconnected is dropped by the client and found out only by its timeout, so requests wait here first.
 */
export async function whenConnected(connection: NatsConnection, timeoutMs = 5_000): Promise<void> {
  const gate = gateOf(connection);
  if (gate.connected) return;
  const timer = new AbortController();
  await Promise.race([gate.open, sleep(timeoutMs, timer.signal)]);
  timer.abort();
}

/** Whether the server is at least `major.minor`. */
export function serverAtLeast(connection: NatsConnection, major: number, minor: number): boolean {
  const [haveMajor = 0, haveMinor = 0] = (connection.info?.version ?? '0.0').split('.').map(Number);
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}
