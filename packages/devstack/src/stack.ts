// Starts the three servers together in one home, or takes those that somebody else runs, and stops them in order.
// What each server needs is left to its own file.
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

/** `safe`: the servers' own defaults; `test`: PostgreSQL does not wait for the disk. */
export type Durability = 'safe' | 'test';

export interface StackUrls {
  /** Without credentials; several servers separated by commas. */
  nats: string;
  /** What the NATS client's `connect` takes beside the URL (credentials of a server run elsewhere). */
  natsOptions: Record<string, unknown>;
  /** `postgres://user:password@host:port/database` */
  postgres: string;
  /** `http://user:password@host:port` */
  clickhouse: string;
  /** The same server for analysts, who only read; empty where the server is external. */
  analyst: string;
}

export interface StackServer {
  name: StackServerName;
  /** Changes when the server is started again; 0 for one that runs elsewhere. */
  readonly pid: number;
  version: string;
  external: boolean;
  /** The running process, for tests that kill it; undefined for one that runs elsewhere. */
  process: SupervisedProcess | undefined;
}

export interface ExternalUrls {
  nats?: string | undefined;
  postgres?: string | undefined;
  clickhouse?: string | undefined;
}

export interface StackOptions {
  /** Folder for data, passwords, remembered ports and logs; made when missing. */
  home: string;
  /** NATS, its monitoring, PostgreSQL and ClickHouse then listen on this port and the three after it. */
  portBase?: number | undefined;
  /** Servers that somebody else runs, by URL. */
  external?: ExternalUrls;
  /** All three when absent; the URL of one left out is empty. */
  only?: readonly StackServerName[];
  log?: (line: string) => void;
  /** `safe` when absent. */
  durability?: Durability;
  /** Gives the start up: what was started is ended, and `startStack` rejects. */
  signal?: AbortSignal;
}

export interface Stack extends AsyncDisposable {
  readonly urls: StackUrls;
  readonly servers: StackServer[];
  /** Folder of the servers' logs. */
  readonly logs: string;
  /** Stops the servers in order; a second call waits for the first. */
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
 * Starts what is not external, in parallel, and waits until everything answers. Servers that end unasked are started
 * again on the same port; all of them end when this process does, however it ends.
 * @throws Error when the home is in use, a port of `portBase` is taken, an external server cannot be reached, or a
 *   server does not start; nothing is left running then
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
    const here = (name: StackServerName, process: SupervisedProcess & { version: string }): StackServer => ({
      name,
      version: process.version,
      external: false,
      process,
      get pid() {
        return process.pid;
      },
    });
    const elsewhere = (name: StackServerName, version: string): StackServer => ({
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
          return elsewhere('nats', version);
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
        return here('nats', server);
      },
      async postgres() {
        if (external.postgres) {
          const version = await checkPostgres(external.postgres);
          urls.postgres = external.postgres;
          return elsewhere('postgres', version);
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
        return here('postgres', server);
      },
      async clickhouse() {
        if (external.clickhouse) {
          const version = await checkClickHouse(external.clickhouse);
          urls.clickhouse = external.clickhouse;
          return elsewhere('clickhouse', version);
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
        return here('clickhouse', server);
      },
    };
    // All are awaited even when one fails, so that none is still starting when the others are stopped.
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

/** Fixed ports with a base; else those remembered in the home that are still free, the others are left open. */
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
            'another process; choose another base, or none to let free ports be found',
        );
      }
    }
    return ports;
  }
  let remembered: Ports = {};
  try {
    remembered = JSON.parse(readFileSync(portsFile(home), 'utf8')) as Ports;
  } catch {
    // The first start.
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
