// run.json contains the addresses of the running system for other processes (the CLI, tests).
// Whether a stack is running is left to the lock in the home folder.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RunFile {
  /** The process that runs the system. */
  pid: number;
  nats: string;
  /** Options for the NATS client's `connect` beside the URL. */
  natsOptions: Record<string, unknown>;
  /** `postgres://user:password@host:port/database` */
  postgres: string;
  /** `http://user:password@host:port` */
  clickhouse: string;
  /** `http://analyst:password@host:port/trellis_jobs`, read-only; empty if ClickHouse is external. */
  analyst: string;
  /** URL of the OTLP receiver (HTTP). */
  otlp?: string;
  /** Base URL of the health pages, by name of the component. */
  components: Record<string, { health: string }>;
}

export function runFilePath(home: string): string {
  return join(home, 'run.json');
}

/** Replaces the file atomically. Only its owner may read it, because it contains passwords. */
export function writeRunFile(home: string, content: RunFile): void {
  const next = `${runFilePath(home)}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, runFilePath(home));
}

export function removeRunFile(home: string): void {
  rmSync(runFilePath(home), { force: true });
}
