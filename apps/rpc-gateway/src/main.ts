// The RPC gateway: answers the admin RPCs over NATS.
import { runComponent, useNats } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { METHODS } from './methods/index.ts';
import { openPorts } from './open-ports.ts';
import { serveUntilStopped } from './rpc/serve-rpc.ts';

const config = readConfig();

await runComponent({
  name: 'rpc-gateway',
  config,
  startTelemetry,
  async start(scope) {
    const { log } = scope;
    const nc = await useNats(scope, config);
    const ports = await openPorts(scope, nc, config);
    scope.run('rpc service', {
      run: (signal) => serveUntilStopped({ nc, methods: METHODS, ports, log, ...config }, signal),
    });
  },
});
