// The servers of one entry in a temporary folder, and components of the system as processes.
// Everything is stopped and removed when the entry ends or the bench is interrupted.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isRunning,
  onPorts,
  type StackServerName,
  type StackUrls,
  type SupervisedProcess,
  startStack,
  startSupervised,
} from '@trellis/devstack';
import type { BenchContext } from './bench-entry.ts';
import { COMPILE_CACHE } from './run-task.ts';

export const root = join(import.meta.dirname, '..', '..', '..');

export type ComponentName = 'projector' | 'rpc-gateway' | 'janitor' | 'heartbeat-aggregator';
export const ALL_COMPONENTS: readonly ComponentName[] = ['projector', 'rpc-gateway', 'janitor', 'heartbeat-aggregator'];

export interface BenchStack extends AsyncDisposable {
  readonly urls: StackUrls;
  readonly home: string;
  /** Folder of the servers' logs. */
  readonly logs: string;
  /** Pids of the servers, by name. */
  readonly pids: Record<string, number>;
  /** Starts a component and waits until it is ready. It stops with the stack. */
  start(component: ComponentName, env?: Record<string, string>): Promise<SupervisedProcess>;
  /** Starts all components. */
  startAll(): Promise<SupervisedProcess[]>;
}

/** Creates a folder whose name contains the pid. Removes those of interrupted runs. */
export function benchFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(FOLDER.exec(name)?.[1] ?? process.pid);
    if (isRunning(pid)) continue;
    try {
      removeFolder(join(tmpdir(), name));
    } catch {
      // It belongs to another user, or its servers are just ending: the next run tries again.
    }
  }
  return mkdtempSync(join(tmpdir(), `trellis-bench-${process.pid}-`));
}
const FOLDER = /^trellis-bench-(\d+)-/;

export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });

/** @param nats the stack whose NATS server is used if `only` leaves it out */
export async function startBenchStack(
  { say, versions }: Pick<BenchContext, 'say' | 'versions'>,
  only?: readonly StackServerName[],
  nats?: BenchStack,
): Promise<BenchStack> {
  const home = benchFolder();
  const removeHome = () => removeFolder(home);
  process.once('exit', removeHome);
  const stack = await startStack({ home, log: say, ...(only && { only }) });
  for (const { name, version } of stack.servers) versions.set(name, version);
  const urls = { ...stack.urls, ...(nats && { nats: nats.urls.nats, natsOptions: nats.urls.natsOptions }) };
  const running: SupervisedProcess[] = [];
  const start: BenchStack['start'] = async (component, env = {}) => {
    const started = await startComponent({ component, urls, env, logs: stack.logs });
    running.push(started);
    return started;
  };
  return {
    urls,
    home,
    logs: stack.logs,
    pids: { ...nats?.pids, ...Object.fromEntries(stack.servers.map(({ name, pid }) => [name, pid])) },
    start,
    startAll: () => Promise.all(ALL_COMPONENTS.map((component) => start(component))),
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((component) => component.stop()));
      await stack.stop();
      removeHome();
      process.off('exit', removeHome);
    },
  };
}

interface ComponentStart {
  component: ComponentName;
  urls: StackUrls;
  env: Record<string, string>;
  logs: string;
}

function startComponent({ component, urls, env, logs }: ComponentStart): Promise<SupervisedProcess> {
  return onPorts([undefined], async ([port]) =>
    startSupervised({
      name: component,
      command: () => ({
        file: process.execPath,
        args: [join(root, 'apps', component, 'src', 'main.ts')],
        env: {
          PATH: process.env.PATH,
          NODE_COMPILE_CACHE: COMPILE_CACHE,
          NATS_URL: urls.nats,
          NATS_OPTIONS: JSON.stringify(urls.natsOptions),
          DATABASE_URL: urls.postgres,
          CLICKHOUSE_URL: urls.clickhouse,
          LOG_LEVEL: 'warn',
          HEALTH_HOST: '127.0.0.1',
          HEALTH_PORT: String(port),
          ...env,
        },
      }),
      logFile: join(logs, `${component}-${port}.log`),
      ready: async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2_000) });
        return answer.ok;
      },
    }),
  );
}
