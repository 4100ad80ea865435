// Runs one PostgreSQL server on 127.0.0.1 with a data folder that is made at the first start.
// Tables are left to whoever connects.
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { onPorts } from '../free-port.ts';
import { commandLine, isRunning } from '../process/process-identity.ts';
import { runCommand } from '../process/run-command.ts';
import { type SupervisedProcess, startSupervised } from '../process/supervised-process.ts';
import { passwordIn } from '../secret-file.ts';
import { findPostgresPrograms, type PostgresPrograms } from './postgres-binaries.ts';

export interface PostgresServerOptions {
  /** Holds the data, the password and what else the server needs. */
  folder: string;
  /** A free one when absent. */
  port?: number;
  /** `test`: nothing waits for the disk, so a crash of the machine may lose data; a crash of the server does not. */
  durability?: 'safe' | 'test';
  /** Settings by name, over those of this package. */
  settings?: Record<string, string>;
  /** `<folder>/postgres.log` when absent. */
  logFile?: string;
  /** Start it again when it ends unasked; no when absent. */
  supervise?: boolean;
  /** Gives the start up. */
  signal?: AbortSignal;
  log?: (line: string) => void;
  changed?: () => void;
}

export interface PostgresServer extends SupervisedProcess {
  /** `postgres://trellis:…@127.0.0.1:…/trellis` */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly version: string;
}

const USER = 'trellis';
const DATABASE = 'trellis';

/** Starts PostgreSQL, makes its data folder and the database `trellis` when missing, waits until it answers. */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const { folder, log } = options;
  const test = options.durability === 'test';
  mkdirSync(folder, { recursive: true });
  // As root the server runs as another user, who must be able to pass through.
  if (process.getuid?.() === 0) chmodSync(folder, 0o711);
  const programs = await findPostgresPrograms(folder);
  const password = passwordIn(join(folder, 'password'));
  const data = join(folder, 'data');
  await initialise(programs, data, password, test);

  return onPorts([options.port], async (ports) => {
    const port = ports[0] as number;
    const url = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
    const settings: Record<string, string> = {
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '200',
      shared_buffers: '256MB',
      timezone: 'UTC',
      log_timezone: 'UTC',
      // Not synchronous_commit: without it a killed server loses commits, and tests kill it.
      ...(test && { fsync: 'off', full_page_writes: 'off' }),
      ...options.settings,
    };
    const server = await startSupervised({
      name: 'postgres',
      command: () => {
        removeStalePidFile(data);
        return programs.command('postgres', [
          '-D',
          data,
          ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
        ]);
      },
      logFile: options.logFile ?? join(folder, 'postgres.log'),
      ready: () => query(url('postgres'), 'SELECT 1').then(() => true),
      // Recovery after a crash is part of a start.
      readyTimeoutMs: 120_000,
      // "Fast": connections are cut, everything is written.
      stopSignal: 'SIGINT',
      supervise: options.supervise ?? false,
      ...(options.signal && { signal: options.signal }),
      ...(log && { log }),
      ...(options.changed && { changed: options.changed }),
    });
    try {
      const present = await query(url('postgres'), `SELECT 1 FROM pg_database WHERE datname = '${DATABASE}'`);
      if (present === 0) await query(url('postgres'), `CREATE DATABASE ${DATABASE}`);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return Object.defineProperties(
      server,
      Object.getOwnPropertyDescriptors({ url: url(DATABASE), port, folder, version: programs.version }),
    ) as PostgresServer;
  });
}

async function initialise(programs: PostgresPrograms, data: string, password: string, test: boolean): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) {
    const has = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
    const wants = programs.version.split('.')[0];
    if (has === wants) return;
    throw new Error(`${data} was made by PostgreSQL ${has}, this one is ${wants}: move it away, or use its own server`);
  }
  // In a folder of another name until it is complete, so that an interrupted start is simply done again.
  const fresh = `${data}.new`;
  const passwordFile = `${data}.pw`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  try {
    if (programs.owner !== undefined) {
      for (const path of [fresh, passwordFile]) chownSync(path, programs.owner, programs.owner);
    }
    await runCommand(
      programs.command('initdb', [
        `--pgdata=${fresh}`,
        `--username=${USER}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C.UTF-8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        ...(test ? ['--no-sync'] : []),
      ]),
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, data);
}

/** After a crash the file may name a pid that belongs to another program by now; the server would not start then. */
function removeStalePidFile(data: string): void {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (isRunning(pid) && commandLine(pid).includes(data)) return;
  rmSync(file);
}

/** Runs one statement on a connection of its own and answers the number of rows. */
async function query(url: string, sql: string): Promise<number> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(sql)).rows.length;
  } finally {
    await client.end().catch(() => {});
  }
}
