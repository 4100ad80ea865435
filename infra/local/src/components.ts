// The list of the system's own processes, and how one is started and seen to be ready.
// The servers they talk to are left to the dev stack.
import { join } from 'node:path';
import { onPorts, type SupervisedProcess, startSupervised } from '@trellis/devstack';
import { root } from './config.ts';

export interface ComponentProgram {
  name: string;
  /** The file that Node runs; a component without it is skipped. */
  main: string;
  /** It takes the telemetry of the others, on OTLP_PORT. */
  receivesTelemetry?: boolean;
}

/** What `npm start` runs, by the folder's name below `apps/`. */
export const COMPONENTS: readonly ComponentProgram[] = [
  'otel-receiver',
  'projector',
  'rpc-gateway',
  'janitor',
  'heartbeat-aggregator',
  'orders-service',
  'zendesk-sync',
].map((name) => ({
  name,
  main: join(root, 'apps', name, 'src', 'main.ts'),
  receivesTelemetry: name === 'otel-receiver',
}));

export interface Component extends SupervisedProcess {
  /** Base of its health pages `/live` and `/ready`. */
  readonly health: string;
  /** Where it takes OTLP over HTTP, if it does. */
  readonly otlp: string | undefined;
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
  const { program } = options;
  return onPorts([undefined, undefined], async ([port, otlpPort]) => {
    const health = `http://127.0.0.1:${port}`;
    const otlp = program.receivesTelemetry ? `http://127.0.0.1:${otlpPort}` : undefined;
    const component = await startSupervised({
      name: program.name,
      command: () => ({
        file: process.execPath,
        args: [program.main],
        cwd: root,
        env: { ...options.env, HEALTH_PORT: String(port), ...(otlp ? { OTLP_PORT: String(otlpPort) } : {}) },
      }),
      logFile: join(options.logs, `${program.name}.log`),
      ready: async () => (await fetch(`${health}/ready`, { signal: AbortSignal.timeout(2_000) })).status === 200,
      stopGraceMs: 20_000,
      supervise: true,
      signal: options.signal,
      log: options.log,
    });
    return Object.defineProperties(component, Object.getOwnPropertyDescriptors({ health, otlp })) as Component;
  });
}
