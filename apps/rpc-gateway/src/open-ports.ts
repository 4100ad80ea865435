// Opens what the methods read and write: Postgres, the stream, and ClickHouse where it is configured.
import type { NatsConnection } from '@nats-io/transport-node';
import { connectionName } from '@trellis/contracts';
import { JobStream } from '@trellis/nats';
import type { ComponentScope } from '@trellis/runtime';
import { HistoryReader, openClickHouse } from '@trellis/store-clickhouse';
import { JobReader, openPostgres, PresenceReader, QueueReader } from '@trellis/store-postgres';
import { TraceReader } from '@trellis/store-traces';
import type { GatewayConfig } from './config.ts';
import { healthProbes } from './health/health-probes.ts';
import { observeProjection } from './health/observe-projection.ts';
import { ProjectionProgress } from './health/projection-progress.ts';
import type { Ports } from './rpc/method.ts';

export async function openPorts(scope: ComponentScope, nats: NatsConnection, config: GatewayConfig): Promise<Ports> {
  const { name, instanceId, log, use, ready } = scope;
  const { clickhouseUrl, clickhouseDatabase, otelDatabase, statementTimeoutMs } = config;
  const postgres = openPostgres({
    url: config.databaseUrl,
    schema: config.databaseSchema,
    maxConnections: config.databaseConnections,
    applicationName: connectionName(name, instanceId),
    settings: {
      statement_timeout: String(statementTimeoutMs),
      default_transaction_read_only: 'on',
      // Compiling takes longer than any of the statements; the planner decides by estimates alone.
      jit: 'off',
    },
    log,
  });
  use('postgres', postgres, { close: () => postgres.close() });
  const openDatabase = (url: string, database: string) => {
    const clickhouse = openClickHouse({ url, database, requestTimeoutMs: statementTimeoutMs });
    return use('clickhouse', clickhouse, { close: () => clickhouse.close() });
  };
  const stream = await JobStream.open(nats, { names: config.streamNames, log });
  const reader = new JobReader(postgres);
  ready('postgres', async () => void (await reader.pipelines()));
  observeProjection({ queues: new QueueReader(postgres), janitor: reader }, { log });
  return {
    reader,
    presence: new PresenceReader(postgres),
    stream,
    projection: new ProjectionProgress({ readPosition: () => reader.position('current'), log }),
    health: healthProbes({ ...config, reader, stream }),
    history: clickhouseUrl ? new HistoryReader(openDatabase(clickhouseUrl, clickhouseDatabase)) : undefined,
    traces: clickhouseUrl ? new TraceReader(openDatabase(clickhouseUrl, otelDatabase)) : undefined,
    settings: config,
  };
}
