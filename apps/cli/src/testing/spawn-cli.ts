// For tests: runs the command line and components of the system as processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Environment of every process. The shared compile cache makes each start faster. */
const COMMON = { NODE_COMPILE_CACHE: join(tmpdir(), 'trellis-test-compile-cache') };

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli extends AsyncDisposable {
  process: ChildProcess;
  /** Lines of standard output as they come. */
  lines: AsyncIterableIterator<string>;
  ended: Promise<Ended>;
}

/** @param env the whole environment of the process: it must not see the developer's NATS_URL */
export function spawnCli(args: string[], env: Record<string, string> = {}): RunningCli {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...COMMON, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    out.stderr += text;
  });
  const ended = once(child, 'close').then(([code]): Ended => ({ code, ...out }));
  return {
    process: child,
    lines: createInterface(child.stdout)[Symbol.asyncIterator](),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export const runCli = (args: string[], env?: Record<string, string>): Promise<Ended> => spawnCli(args, env).ended;

/** Starts `apps/<name>/src/main.ts`; disposing stops it. */
export function spawnComponent(name: string, env: Record<string, string>): AsyncDisposable {
  const child = spawn(process.execPath, [`${ROOT}/apps/${name}/src/main.ts`], {
    env: env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const closed = once(child, 'close');
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}
