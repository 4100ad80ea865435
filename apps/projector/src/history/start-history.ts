// The history pipeline in its process: ClickHouse, the loop, readiness.
import type { JobStream } from '@trellis/nats';
import type { ComponentScope } from '@trellis/runtime';
import { openClickHouse } from '@trellis/store-clickhouse';
import type { ProjectorConfig } from '../config.ts';
import type { SharedTail } from '../tail/shared-tail.ts';
import { PipelineHealth } from '../telemetry/pipeline-health.ts';
import { observePipeline } from '../telemetry/pipeline-progress.ts';
import { runHistoryPipeline } from './pipeline.ts';

/** Writes the stream into ClickHouse until the process stops. */
export function startHistory(
  scope: ComponentScope,
  config: ProjectorConfig,
  stream: JobStream,
  tail: SharedTail,
): void {
  const { instanceId: owner, signal } = scope;
  const { leaseMs, pipelinesBucket: bucket, streamReplicas: replicas, historyTtlDays: ttlDays } = config;
  const log = scope.log.child({ pipeline: 'history' });
  const clickhouse = openClickHouse({ url: config.clickhouseUrl, database: config.clickhouseDatabase });
  scope.use('clickhouse', clickhouse, { close: () => clickhouse.close() });
  const consumer = `${config.consumerPrefix}-history`;
  const health = new PipelineHealth();
  const progress = observePipeline('history', stream);
  scope.ready('history', () => health.check());
  const write = () =>
    runHistoryPipeline({
      stream,
      clickhouse,
      owner,
      log,
      signal,
      bucket,
      ...(ttlDays === undefined ? {} : { ttlDays }),
      consumer,
      tail,
      leaseMs,
      ...(replicas === undefined ? {} : { replicas }),
      status: ({ role, storeError, position, generation }) => {
        if (role !== 'starting') health.tell(storeError);
        Object.assign(progress, role === 'writing' ? { position, generation } : { position: undefined });
      },
    });
  scope.run('history', { run: () => health.during(write) });
}
