// The RPC gateway as a process: what is connected to what.
import { connectNats, createLogger, JobStream, loop, runComponent } from '@trellis/runtime';
import { JobReader, openPostgres, PresenceReader } from '@trellis/store-postgres';
import { readConfig } from './config.ts';
import { healthProbes } from './health-probes.ts';
import type { Ports } from './method.ts';
import { METHODS } from './methods/index.ts';
import { ProjectionProgress } from './projection-progress.ts';
import { serveUntilStopped } from './serve-rpc.ts';

const config = readConfig();
const log = createLogger({ name: 'rpc-gateway', level: config.logLevel, instanceId: config.instanceId });

await runComponent({
  name: 'rpc-gateway',
  config,
  log,
  async start(scope) {
    const postgres = openPostgres({
      url: config.databaseUrl,
      schema: config.databaseSchema,
      maxConnections: config.databaseConnections,
      applicationName: `trellis-rpc-gateway ${config.instanceId}`,
      settings: { statement_timeout: String(config.statementTimeoutMs), default_transaction_read_only: 'on' },
      log,
    });
    scope.onStop(() => postgres.close());
    const nc = await connectNats({
      url: config.natsUrl,
      options: config.natsOptions,
      name: 'trellis-rpc-gateway',
      log,
    });
    scope.onStop(() => nc.drain());

    const stream = await JobStream.open(nc, { names: config.streamNames, log });
    const reader = new JobReader(postgres);
    const ports: Ports = {
      reader,
      presence: new PresenceReader(postgres),
      stream,
      projection: new ProjectionProgress({ readPosition: () => reader.position('current'), log }),
      health: healthProbes({ ...config, reader, stream }),
      settings: config,
    };
    const serving = loop('rpc service', {
      signal: scope.signal,
      log,
      run: (signal) => serveUntilStopped({ nc, methods: METHODS, ports, log, ...config }, signal),
    });
    scope.onStop(() => serving.done);

    scope.ready('nats', async () => void (await nc.rtt()));
    scope.ready('postgres', async () => void (await reader.pipelines()));
  },
});
