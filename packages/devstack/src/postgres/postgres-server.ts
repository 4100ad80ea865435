// Runs one PostgreSQL server on 127.0.0.1. The first start creates the data folder.
// Tables are left to the clients.
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
  /** Contains the data, the password and the libraries' links. */
  folder: string;
  /** Default: a free port. */
  port?: number;
  /** `test` turns fsync off: a crash of the machine may lose data, a crash of the server does not. */
  durability?: 'safe' | 'test';
  /** Server settings by name; they override the defaults below. */
  settings?: Record<string, string>;
  /** Default: `<folder>/postgres.log`. */
  logFile?: string;
  /** Restart it if it ends unexpectedly. Default: false. */
  supervise?: boolean;
  /** Cancels the start. */
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

/** Starts PostgreSQL, creates its data folder and the database `trellis` if missing, waits until it accepts queries. */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const { folder, log } = options;
  const test = options.durability === 'test';
  mkdirSync(folder, { recursive: true });
  // As root, the server runs as another user, which must be able to enter the folder.
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
      // synchronous_commit stays on: without it a killed server loses commits, and tests kill it.
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
      // A start includes the recovery after a crash.
      readyTimeoutMs: 120_000,
      // PostgreSQL's "fast shutdown": it closes connections and writes everything.
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
    const createdBy = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
    const own = programs.version.split('.')[0];
    if (createdBy === own) return;
    throw new Error(
      `PostgreSQL ${createdBy} created ${data}, this is PostgreSQL ${own}: move the folder away, or set DATABASE_URL`,
    );
  }
  // The folder has another name until it is complete, so that an interrupted start can be repeated.
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

/** After a crash the pid in the file may belong to another program, and the server would refuse to start. */
function removeStalePidFile(data: string): void {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (isRunning(pid) && commandLine(pid).includes(data)) return;
  rmSync(file);
}

/** Runs one statement on a new connection and returns the number of rows. */
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
