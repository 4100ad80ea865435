// The list of the system's own processes, and how one is started and seen to be ready.
// The servers they talk to are left to the dev stack.
import { join } from 'node:path';
import { onPorts, type SupervisedProcess, startSupervised } from '@trellis/devstack';
import { root } from './config.ts';

export interface ComponentProgram {
  name: string;
  /** The file that Node runs; a component without it is skipped. */
  main: string;
}

/** What `npm start` runs, by the folder's name below `apps/`. */
export const COMPONENTS: readonly ComponentProgram[] = [
  'projector',
  'rpc-gateway',
  'janitor',
  'heartbeat-aggregator',
  'orders-service',
  'zendesk-sync',
].map((name) => ({
  name,
  main: join(root, 'apps', name, 'src', 'main.ts'),
}));

export interface Component extends SupervisedProcess {
  /** Base of its health pages `/live` and `/ready`. */
  readonly health: string;
}

export interface ComponentOptions {
  program: ComponentProgram;
  env: NodeJS.ProcessEnv;
  logs: string;
  log: (line: string) => void;
  signal: AbortSignal;
}

/** Starts the component and waits until it says that it is ready; one that ends unasked is started again. */
export function startComponent(options: ComponentOptions): Promise<Component> {
  return onPorts([undefined], async ([port]) => {
    const health = `http://127.0.0.1:${port}`;
    const component = await startSupervised({
      name: options.program.name,
      command: () => ({
        file: process.execPath,
        args: [options.program.main],
        cwd: root,
        env: { ...options.env, HEALTH_PORT: String(port) },
      }),
      logFile: join(options.logs, `${options.program.name}.log`),
      ready: async () => (await fetch(`${health}/ready`, { signal: AbortSignal.timeout(2_000) })).status === 200,
      stopGraceMs: 20_000,
      supervise: true,
      signal: options.signal,
      log: options.log,
    });
    return Object.defineProperties(component, Object.getOwnPropertyDescriptors({ health })) as Component;
  });
}
