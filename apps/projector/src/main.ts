// The projector: follows the JOBS stream into Postgres (`current`) and ClickHouse (`history`). What is connected to what.

import { loop } from '@trellis/async';
import { connectNats, JobStream, provision } from '@trellis/nats';
import {
  boundHeapGrowth,
  collectAtStart,
  collectWhenQuiet,
  createLogger,
  runComponent,
  telemetryOf,
} from '@trellis/runtime';
import { openClickHouse } from '@trellis/store-clickhouse';
import { CurrentStore, migratePostgres, openPostgres } from '@trellis/store-postgres';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { runCurrentPipeline } from './current/pipeline.ts';
import { runHistoryPipeline } from './history/pipeline.ts';
import { PipelineHealth } from './pipeline-health.ts';
import { observePipeline } from './pipeline-progress.ts';
import { SharedTail } from './shared-tail.ts';

const name = 'projector';
const config = readConfig();
const { instanceId, streamNames, consumerPrefix, leaseMs } = config;
/** Messages that are read from the stream in one go, for both pipelines. */
const TAIL_BATCH = 500;
/** What a batch of events leaves behind is most of the heap while a backlog is read. */
const HEAP_GROWTH_PERCENT = 70;
boundHeapGrowth(HEAP_GROWTH_PERCENT);
collectAtStart();
const telemetry = startTelemetry(telemetryOf(config, name));
const log = createLogger({ name, level: config.logLevel, instanceId });

await runComponent({
  name,
  config,
  log,
  telemetry,
  start: async ({ signal, onStop, ready }) => {
    void collectWhenQuiet(signal);
    const nc = await connectNats({ url: config.natsUrl, options: config.natsOptions, name, log });
    onStop(() => nc.drain());
    ready('nats', async () => void (await nc.rtt()));
    await provision(nc, { names: streamNames, replicas: config.streamReplicas, log });
    const stream = await JobStream.open(nc, { names: streamNames, log });

    const { batchSize: maxMessages, lingerMs } = config;
    const tail = new SharedTail({ stream, log, maxMessages: Math.min(maxMessages, TAIL_BATCH), lingerMs });

    if (config.pipelines.includes('current')) {
      const postgres = openPostgres({
        url: config.databaseUrl,
        schema: config.databaseSchema,
        applicationName: `trellis ${name} ${instanceId}`,
        log,
        // What a crash of the server may lose is projected again: position and rows go together. An owner that stands still
        // in the middle of a transaction must not hold its successor up.
        settings: {
          synchronous_commit: 'off',
          idle_in_transaction_session_timeout: `${leaseMs}ms`,
          // Planned once a connection, and by the index of ids: what is made while a table is empty holds when it is large, too.
          plan_cache_mode: 'force_generic_plan',
          enable_seqscan: 'off',
          enable_hashjoin: 'off',
          enable_mergejoin: 'off',
        },
      });
      onStop(() => postgres.close());
      ready('postgres', () => postgres.ping());
      const store = new CurrentStore(postgres, { leaseMs });
      const consumer = `${consumerPrefix}-current`;
      const health = new PipelineHealth();
      const progress = observePipeline('current', stream);
      ready('current', () => health.check());
      const run = async () => {
        await migratePostgres(postgres);
        const working = () => health.well();
        await runCurrentPipeline({
          stream,
          store,
          owner: instanceId,
          log,
          signal,
          consumer,
          tail,
          maxMessages,
          progress,
          working,
        });
      };
      const current = loop('current', { signal, log, run: () => health.during(run) });
      onStop(() => current.done);
    }

    if (config.pipelines.includes('history')) {
      const clickhouse = openClickHouse({ url: config.clickhouseUrl, database: config.clickhouseDatabase });
      onStop(() => clickhouse.close());
      const { pipelinesBucket: bucket, streamReplicas: replicas } = config;
      const consumer = `${consumerPrefix}-history`;
      const health = new PipelineHealth();
      const progress = observePipeline('history', stream);
      ready('history', () => health.check());
      const run = () =>
        runHistoryPipeline({
          stream,
          clickhouse,
          owner: instanceId,
          log: log.child({ pipeline: 'history' }),
          signal,
          bucket,
          ...(config.historyTtlDays === undefined ? {} : { ttlDays: config.historyTtlDays }),
          consumer,
          tail,
          leaseMs,
          ...(replicas === undefined ? {} : { replicas }),
          status: ({ role, storeError, position, generation }) => {
            if (role !== 'starting') health.tell(storeError);
            Object.assign(progress, role === 'writing' ? { position, generation } : { position: undefined });
          },
        });
      const history = loop('history', { signal, log, run: () => health.during(run) });
      onStop(() => history.done);
    }
  },
});
