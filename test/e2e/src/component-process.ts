// Runs one component of the system as a process, as in production. Tests may kill it at any moment.
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '@trellis/test-support';

const root = join(import.meta.dirname, '..', '..', '..');

export interface ComponentProcess extends AsyncDisposable {
  readonly pid: number;
  /** Base URL of /live and /ready. */
  readonly health: string;
  /** Its last log lines, newest last, at most 500. */
  readonly lines: string[];
  /** Sends the signal and waits until the process ends. @returns the exit code; undefined after a fatal signal */
  end(signal?: NodeJS.Signals): Promise<number | undefined>;
}

/** Starts `apps/<name>` with `env` and, by default, waits until GET /ready returns 200. */
export async function startComponent(
  name: string,
  env: Record<string, string>,
  options: { waitUntilReady?: boolean } = {},
): Promise<ComponentProcess> {
  const child = spawn(process.execPath, [join(root, 'apps', name, 'src', 'main.ts')], {
    env: { PATH: process.env.PATH ?? '', HEALTH_PORT: '0', HEALTH_HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const exited = new Promise<number | undefined>((resolve) => child.once('exit', (code) => resolve(code ?? undefined)));
  const health = await new Promise<string>((resolve, reject) => {
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        if (lines.length > 500) lines.shift();
        const port = portOf(line);
        if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
      });
    }
    child.once('error', reject);
    void exited.then((code) =>
      reject(new Error(`${name} ended with ${code} before it served health:\n${lines.slice(-20).join('\n')}`)),
    );
  });
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (isRunning(child)) child.kill(signal);
    return exited;
  };
  const component: ComponentProcess = {
    pid: child.pid ?? 0,
    health,
    lines,
    end,
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  };
  if (options.waitUntilReady ?? true) {
    await waitFor(
      async () => {
        if (!isRunning(child)) throw new Error(`${name} ended:\n${lines.slice(-20).join('\n')}`);
        return (await fetch(`${health}/ready`)).ok;
      },
      { timeoutMs: 30_000, what: `${name} to be ready` },
    );
  }
  return component;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

function portOf(line: string): number | undefined {
  if (!line.includes('health is served')) return undefined;
  return (JSON.parse(line) as { port?: number }).port;
}
