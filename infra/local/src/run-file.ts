// run.json: tells other processes (the CLI, tests) where the running system is.
// Whether a stack runs at all is left to the lock in the home.
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RunFile {
  /** The process that runs the system. */
  pid: number;
  nats: string;
  /** What the NATS client's `connect` takes beside the URL. */
  natsOptions: Record<string, unknown>;
  /** `postgres://user:password@host:port/database` */
  postgres: string;
  /** `http://user:password@host:port` */
  clickhouse: string;
  /** `http://analyst:password@host:port/trellis_jobs`: reads the public views only; empty where ClickHouse is external. */
  analyst: string;
  /** Where telemetry is taken as OTLP over HTTP. */
  otlp?: string;
  /** Base of each component's health pages, by the component's name. */
  components: Record<string, { health: string }>;
}

export function runFilePath(home: string): string {
  return join(home, 'run.json');
}

/** Replaces the file in one step; only its owner may read it, as it holds passwords. */
export function writeRunFile(home: string, content: RunFile): void {
  const next = `${runFilePath(home)}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(next, runFilePath(home));
}

export function removeRunFile(home: string): void {
  rmSync(runFilePath(home), { force: true });
}
