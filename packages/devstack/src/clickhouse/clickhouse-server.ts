// Runs one ClickHouse server on 127.0.0.1. The server is part of the library in the chdb npm package.
// Tables are left to the clients; users and limits to clickhouse-config.ts.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installedPackage } from '../download/npm-package.ts';
import { onPorts } from '../free-port.ts';
import { type SupervisedProcess, startSupervised } from '../process/supervised-process.ts';
import { passwordIn } from '../secret-file.ts';
import { analystGrants, type ClickHouseUser, serverConfig, usersConfig } from './clickhouse-config.ts';

export interface ClickHouseServerOptions {
  /** Contains the data, the configuration and the passwords. */
  folder: string;
  /** Port of the HTTP interface. Default: a free port. */
  port?: number;
  /** Database whose public views the user `analyst` may read. Default: `trellis_jobs`. */
  historyDatabase?: string;
  /** Default: `<folder>/clickhouse.log`. */
  logFile?: string;
  /** Restart it if it ends unexpectedly. Default: false. */
  supervise?: boolean;
  /** Cancels the start. */
  signal?: AbortSignal;
  log?: (line: string) => void;
  changed?: () => void;
}

export interface ClickHouseServer extends SupervisedProcess {
  /** `http://trellis:…@127.0.0.1:…`; the user's default database is `trellis`. */
  readonly url: string;
  /** `http://analyst:…@127.0.0.1:…/trellis_jobs`; the user can read only the public views of the history. */
  readonly analystUrl: string;
  readonly port: number;
  readonly folder: string;
  readonly version: string;
}

const SERVER_QUERY = 'trellis-server';
// The server runs until this query ends. The sleeps are short so that KILL QUERY, checked between them, takes effect soon.
const SERVE = [
  'CREATE DATABASE IF NOT EXISTS trellis ENGINE = Atomic',
  'SYSTEM START LISTEN HTTP',
  'SELECT sleepEachRow(0.25) FROM system.numbers FORMAT Null SETTINGS max_block_size = 1',
].join('; ');

/** Starts ClickHouse, creates the database `trellis` if missing, waits until it answers over HTTP. */
export async function startClickHouseServer(options: ClickHouseServerOptions): Promise<ClickHouseServer> {
  const { folder, log } = options;
  const library = findLibrary();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = passwordIn(join(folder, 'password'));
  const analystPassword = passwordIn(join(folder, 'analyst-password'));
  const { historyDatabase = 'trellis_jobs' } = options;
  const users: ClickHouseUser[] = [
    { name: 'trellis', password, database: 'trellis' },
    {
      name: 'analyst',
      password: analystPassword,
      database: historyDatabase,
      readOnly: true,
      grants: analystGrants(historyDatabase),
    },
  ];
  const configFile = join(folder, 'config.xml');
  const usersFile = join(folder, 'users.xml');
  writeFileSync(configFile, serverConfig(usersFile));
  writeFileSync(usersFile, usersConfig(users), { mode: 0o600 });

  return onPorts([options.port], async (ports) => {
    const port = ports[0] as number;
    const query = async (sql: string): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        body: sql,
        // Close each connection: a stop waits for the open ones.
        headers: { 'X-ClickHouse-User': 'trellis', 'X-ClickHouse-Key': password, Connection: 'close' },
        signal: AbortSignal.timeout(5_000),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(text.split('\n')[0]);
      return text.trim();
    };
    let version = '';
    const logFile = options.logFile ?? join(folder, 'clickhouse.log');
    const server = await startSupervised({
      name: 'clickhouse',
      command: () => ({
        file: process.execPath,
        args: [
          fileURLToPath(new URL('clickhouse-child.ts', import.meta.url)),
          library,
          `--config-file=${configFile}`,
          `--path=${join(folder, 'data')}`,
          `--http_port=${port}`,
          '--listen_host=127.0.0.1',
          '--log-level=warning',
          `--logger.log=${logFile}`,
          `--query_id=${SERVER_QUERY}`,
          `--query=${SERVE}`,
        ],
        cwd: folder,
        env: { PATH: process.env.PATH, HOME: folder, TZ: 'UTC', NODE_NO_WARNINGS: '1' },
      }),
      logFile,
      ready: async () => {
        version = await query('SELECT version()');
        return true;
      },
      readyTimeoutMs: 120_000,
      askToStop: async () => {
        await query(`KILL QUERY WHERE query_id = '${SERVER_QUERY}' ASYNC`);
      },
      supervise: options.supervise ?? false,
      ...(options.signal && { signal: options.signal }),
      ...(log && { log }),
      ...(options.changed && { changed: options.changed }),
    });
    const url = `http://trellis:${password}@127.0.0.1:${port}`;
    const analystUrl = `http://analyst:${analystPassword}@127.0.0.1:${port}/${historyDatabase}`;
    return Object.defineProperties(
      server,
      Object.getOwnPropertyDescriptors({ url, analystUrl, port, folder, version }),
    ) as ClickHouseServer;
  });
}

function findLibrary(): string {
  const name = `@chdb/lib-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`;
  const found = installedPackage(name);
  const file = found && join(found.folder, 'libchdb.so');
  if (file && existsSync(file)) return file;
  throw new Error(
    `the package ${name} is not installed (or it does not exist for this machine); ` +
      'run a ClickHouse elsewhere and set CLICKHOUSE_URL',
  );
}
