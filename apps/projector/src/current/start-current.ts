// The current pipeline in its process: Postgres, the loop, readiness.

import { connectionName } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import type { ComponentScope } from '@trellis/runtime';
import { CurrentStore, migratePostgres, openPostgres } from '@trellis/store-postgres';
import type { ProjectorConfig } from '../config.ts';
import type { SharedTail } from '../tail/shared-tail.ts';
import { PipelineHealth } from '../telemetry/pipeline-health.ts';
import { observePipeline } from '../telemetry/pipeline-progress.ts';
import { runCurrentPipeline } from './pipeline.ts';

/** Projects the stream into Postgres until the process stops. */
export function startCurrent(
  scope: ComponentScope,
  config: ProjectorConfig,
  stream: JobStream,
  tail: SharedTail,
): void {
  const { name, instanceId: owner, log, signal } = scope;
  const { leaseMs, batchSize: maxMessages, consumerPrefix } = config;
  const postgres = openPostgres({
    url: config.databaseUrl,
    schema: config.databaseSchema,
    applicationName: connectionName(name, owner),
    log,
    settings: {
      // A crash of the server may lose the last commits. They are projected again: checkpoint and rows go together.
      synchronous_commit: 'off',
      // An owner that hangs inside a transaction must not hold up its successor.
      idle_in_transaction_session_timeout: `${leaseMs}ms`,
      // Statements are planned once a connection and use the index of job ids. Otherwise a plan made while the table
      // was empty would stay in use when it is large.
      plan_cache_mode: 'force_generic_plan',
      enable_seqscan: 'off',
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
    },
  });
  scope.use('postgres', postgres, { close: () => postgres.close(), ready: () => postgres.ping() });
  const store = new CurrentStore(postgres, { leaseMs });
  const consumer = `${consumerPrefix}-current`;
  const health = new PipelineHealth();
  const progress = observePipeline('current', stream);
  scope.ready('current', () => health.check());
  const project = async () => {
    await migratePostgres(postgres);
    const working = () => health.well();
    await runCurrentPipeline({ stream, store, owner, log, signal, consumer, tail, maxMessages, progress, working });
  };
  scope.run('current', { run: () => health.during(project) });
}
