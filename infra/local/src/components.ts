// The list of components that `npm start` runs, and how one is started and checked for readiness.
// The servers are left to the dev stack.
import { join } from 'node:path';
import { onPorts, type SupervisedProcess, startSupervised } from '@trellis/devstack';
import { root } from './config.ts';

export interface ComponentProgram {
  name: string;
  /** The file that Node runs. The component is skipped if it does not exist. */
  main: string;
  /** Whether it receives the telemetry of the others, on OTLP_PORT. */
  receivesTelemetry?: boolean;
}

/** The components, named by their folders in `apps/`. */
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
  /** Base URL of its health pages `/live` and `/ready`. */
  readonly health: string;
  /** URL of its OTLP receiver (HTTP), if it has one. */
  readonly otlp: string | undefined;
}

export interface ComponentOptions {
  program: ComponentProgram;
  env: NodeJS.ProcessEnv;
  logs: string;
  log: (line: string) => void;
  signal: AbortSignal;
}

/** Starts the component and waits until it is ready. It is restarted if it ends unexpectedly. */
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
