// Starts the three servers together in one home folder, or checks the external ones, and stops them in order.
// How each server is configured is left to its own file.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readNatsUrl } from '@trellis/contracts';
import { startClickHouseServer } from './clickhouse/clickhouse-server.ts';
import { checkClickHouse, checkNats, checkPostgres } from './external-servers.ts';
import { isFreePort, PortTakenError } from './free-port.ts';
import { lockHome } from './home-lock.ts';
import { startNatsServer } from './nats/nats-server.ts';
import { startPostgresServer } from './postgres/postgres-server.ts';
import type { SupervisedProcess } from './process/supervised-process.ts';

export type StackServerName = 'nats' | 'postgres' | 'clickhouse';

/** `safe`: the servers' defaults. `test`: PostgreSQL does not wait for the disk. */
export type Durability = 'safe' | 'test';

export interface StackUrls {
  /** Without credentials; several servers separated by commas. */
  nats: string;
  /** Options for the NATS client's `connect` beside the URL: credentials of an external server. */
  natsOptions: Record<string, unknown>;
  /** `postgres://user:password@host:port/database` */
  postgres: string;
  /** `http://user:password@host:port` */
  clickhouse: string;
  /** The same server for the read-only user `analyst`; empty if the server is external. */
  analyst: string;
}

export interface StackServer {
  name: StackServerName;
  /** Changes when the server restarts; 0 for an external server. */
  readonly pid: number;
  version: string;
  external: boolean;
  /** The running process, for tests that kill it; undefined for an external server. */
  process: SupervisedProcess | undefined;
}

export interface ExternalUrls {
  nats?: string | undefined;
  postgres?: string | undefined;
  clickhouse?: string | undefined;
}

export interface StackOptions {
  /** Folder for data, passwords, remembered ports and logs; created if missing. */
  home: string;
  /** First of four consecutive ports: NATS, its monitoring, PostgreSQL, ClickHouse. Default: free ports. */
  portBase?: number | undefined;
  /** URLs of external servers, which are used instead of the embedded ones. */
  external?: ExternalUrls;
  /** Which servers to start. Default: all. The URL of each other server is empty. */
  only?: readonly StackServerName[];
  log?: (line: string) => void;
  /** Default: `safe`. */
  durability?: Durability;
  /** Cancels the start: `startStack` stops what it started, and rejects. */
  signal?: AbortSignal;
}

export interface Stack extends AsyncDisposable {
  readonly urls: StackUrls;
  readonly servers: StackServer[];
  /** Folder of the servers' logs. */
  readonly logs: string;
  /** Stops the servers. A second call waits for the first. */
  stop(): Promise<void>;
}

interface Ports {
  nats?: number;
  natsMonitor?: number;
  postgres?: number;
  clickhouse?: number;
}

const PORT_NAMES = ['nats', 'natsMonitor', 'postgres', 'clickhouse'] as const;

/**
 * Starts the embedded servers in parallel and waits until every server answers. A server that ends unexpectedly is restarted
 * on the same port. All of them end when this process does, even if it is killed.
 * @throws Error if the home is in use, a port of `portBase` is taken, an external server cannot be reached, or a server
 *   does not start; nothing is left running
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { external = {}, only = ['nats', 'postgres', 'clickhouse'], log = () => {} } = options;
  const home = resolve(options.home);
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true });
  const lock = await lockHome(home, log);
  const running: SupervisedProcess[] = [];
  const urls: StackUrls = { nats: '', natsOptions: {}, postgres: '', clickhouse: '', analyst: '' };

  try {
    const local = only.filter((name) => !external[name]);
    const ports = await choosePorts(home, options.portBase, local);
    const common = (name: string) => ({
      logFile: join(logs, `${name}.log`),
      supervise: true,
      log,
      ...(options.signal && { signal: options.signal }),
      changed: () => lock.record(running.filter((one) => one.running)),
    });
    const started = <T extends SupervisedProcess>(server: T): T => {
      running.push(server);
      lock.record(running);
      return server;
    };
    const embedded = (name: StackServerName, process: SupervisedProcess & { version: string }): StackServer => ({
      name,
      version: process.version,
      external: false,
      process,
      get pid() {
        return process.pid;
      },
    });
    const externalServer = (name: StackServerName, version: string): StackServer => ({
      name,
      version,
      external: true,
      process: undefined,
      pid: 0,
    });

    const starters: Record<StackServerName, () => Promise<StackServer>> = {
      async nats() {
        if (external.nats) {
          const { servers, credentials } = readNatsUrl(external.nats);
          const version = await checkNats(external.nats);
          urls.nats = servers.join(',');
          urls.natsOptions = credentials;
          return externalServer('nats', version);
        }
        const server = started(
          await startNatsServer({
            storeDir: join(home, 'nats'),
            ...(ports.nats && { port: ports.nats }),
            ...(ports.natsMonitor && { monitorPort: ports.natsMonitor }),
            ...common('nats'),
          }),
        );
        ports.nats = server.port;
        ports.natsMonitor = server.monitorPort;
        urls.nats = server.url;
        return embedded('nats', server);
      },
      async postgres() {
        if (external.postgres) {
          const version = await checkPostgres(external.postgres);
          urls.postgres = external.postgres;
          return externalServer('postgres', version);
        }
        const server = started(
          await startPostgresServer({
            folder: join(home, 'postgres'),
            durability: options.durability ?? 'safe',
            ...(ports.postgres && { port: ports.postgres }),
            ...common('postgres'),
          }),
        );
        ports.postgres = server.port;
        urls.postgres = server.url;
        return embedded('postgres', server);
      },
      async clickhouse() {
        if (external.clickhouse) {
          const version = await checkClickHouse(external.clickhouse);
          urls.clickhouse = external.clickhouse;
          return externalServer('clickhouse', version);
        }
        const server = started(
          await startClickHouseServer({
            folder: join(home, 'clickhouse'),
            ...(ports.clickhouse && { port: ports.clickhouse }),
            ...common('clickhouse'),
          }),
        );
        ports.clickhouse = server.port;
        urls.clickhouse = server.url;
        urls.analyst = server.analystUrl;
        return embedded('clickhouse', server);
      },
    };
    // Wait for all even if one fails, so that none is still starting while the others are stopped.
    const results = await Promise.allSettled(only.map((name) => starters[name]()));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
    if (failures.length > 0) throw new Error(failures.map((error) => error.message).join('\n'), { cause: failures[0] });
    const servers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    if (options.portBase === undefined) rememberPorts(home, ports);

    let stopping: Promise<void> | undefined;
    const stop = () => {
      stopping ??= Promise.all(running.map((server) => server.stop())).then(() => lock.release());
      return stopping;
    };
    return { urls, servers, logs, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await Promise.all(running.map((server) => server.stop()));
    lock.release();
    throw error;
  }
}

function portsFile(home: string): string {
  return join(home, 'ports.json');
}

/** Consecutive ports if there is a base; else the remembered ports that are still free. The others stay undefined. */
async function choosePorts(home: string, base: number | undefined, local: readonly StackServerName[]): Promise<Ports> {
  const ports: Ports = {};
  if (base !== undefined) {
    if (!Number.isInteger(base) || base < 1 || base + PORT_NAMES.length - 1 > 65_535) {
      throw new Error(`the first port must be a whole number from 1 to ${65_536 - PORT_NAMES.length}, not ${base}`);
    }
    for (const [index, name] of PORT_NAMES.entries()) {
      if (!local.includes(name === 'natsMonitor' ? 'nats' : name)) continue;
      ports[name] = base + index;
      if (!(await isFreePort(base + index))) {
        throw new PortTakenError(
          `port ${base + index} of 127.0.0.1, which ${name} should use with TRELLIS_PORT_BASE=${base}, is taken by ` +
            'another process; choose another base, or unset it to use free ports',
        );
      }
    }
    return ports;
  }
  let remembered: Ports = {};
  try {
    remembered = JSON.parse(readFileSync(portsFile(home), 'utf8')) as Ports;
  } catch {
    // No file before the first start.
  }
  for (const name of PORT_NAMES) {
    const port = remembered[name];
    if (typeof port === 'number' && (await isFreePort(port))) ports[name] = port;
  }
  return ports;
}

function rememberPorts(home: string, ports: Ports): void {
  const next = `${portsFile(home)}.new`;
  writeFileSync(next, `${JSON.stringify(ports, null, 2)}\n`);
  renameSync(next, portsFile(home));
}
