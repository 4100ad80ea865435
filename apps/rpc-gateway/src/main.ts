// The RPC gateway as a process: what is connected to what.

import { loop } from '@trellis/async';
import { connectNats, JobStream } from '@trellis/nats';
import { createLogger, runComponent, telemetryOf } from '@trellis/runtime';
import { HistoryReader, openClickHouse } from '@trellis/store-clickhouse';
import { JobReader, openPostgres, PresenceReader, QueueReader } from '@trellis/store-postgres';
import { TraceReader } from '@trellis/store-traces';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { healthProbes } from './health-probes.ts';
import type { Ports } from './method.ts';
import { METHODS } from './methods/index.ts';
import { observeProjection } from './observe-projection.ts';
import { ProjectionProgress } from './projection-progress.ts';
import { serveUntilStopped } from './serve-rpc.ts';

const config = readConfig();
const telemetry = startTelemetry(telemetryOf(config, 'rpc-gateway'));
const log = createLogger({ name: 'rpc-gateway', level: config.logLevel, instanceId: config.instanceId });

await runComponent({
  name: 'rpc-gateway',
  config,
  log,
  telemetry,
  async start(scope) {
    const postgres = openPostgres({
      url: config.databaseUrl,
      schema: config.databaseSchema,
      maxConnections: config.databaseConnections,
      applicationName: `trellis-rpc-gateway ${config.instanceId}`,
      settings: {
        statement_timeout: String(config.statementTimeoutMs),
        default_transaction_read_only: 'on',
        // Compiling takes longer than any of the statements, and estimates are all that it goes by.
        jit: 'off',
      },
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

    const openDatabase = (url: string, database: string) => {
      const clickhouse = openClickHouse({ url, database, requestTimeoutMs: config.statementTimeoutMs });
      scope.onStop(() => clickhouse.close());
      return clickhouse;
    };
    const { clickhouseUrl, clickhouseDatabase, otelDatabase } = config;
    const stream = await JobStream.open(nc, { names: config.streamNames, log });
    const reader = new JobReader(postgres);
    observeProjection({ queues: new QueueReader(postgres), janitor: reader }, { log });
    const ports: Ports = {
      reader,
      presence: new PresenceReader(postgres),
      stream,
      projection: new ProjectionProgress({ readPosition: () => reader.position('current'), log }),
      health: healthProbes({ ...config, reader, stream }),
      history: clickhouseUrl ? new HistoryReader(openDatabase(clickhouseUrl, clickhouseDatabase)) : undefined,
      traces: clickhouseUrl ? new TraceReader(openDatabase(clickhouseUrl, otelDatabase)) : undefined,
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
