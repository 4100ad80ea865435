// The projector: follows the JOBS stream into Postgres (`current`) and ClickHouse (`history`).
import { JobStream, provision } from '@trellis/nats';
import { boundHeapGrowth, collectAtStart, collectWhenQuiet, runComponent, useNats } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
import { readConfig } from './config.ts';
import { startCurrent } from './current/start-current.ts';
import { startHistory } from './history/start-history.ts';
import { SharedTail } from './tail/shared-tail.ts';

const config = readConfig();
/** Most messages of one read from the stream, which both pipelines share. */
const TAIL_BATCH = 500;
/** While a backlog is read, most of the heap is garbage of earlier batches. */
const HEAP_GROWTH_PERCENT = 70;
boundHeapGrowth(HEAP_GROWTH_PERCENT);
collectAtStart();

await runComponent({
  name: 'projector',
  config,
  startTelemetry,
  async start(scope) {
    const { signal, log } = scope;
    void collectWhenQuiet(signal);
    const nats = await useNats(scope, config);
    const { streamNames: names, streamReplicas: replicas, batchSize, lingerMs, pipelines } = config;
    await provision(nats, { names, replicas, log });
    const stream = await JobStream.open(nats, { names, log });
    const tail = new SharedTail({ stream, log, maxMessages: Math.min(batchSize, TAIL_BATCH), lingerMs });
    if (pipelines.includes('current')) startCurrent(scope, config, stream, tail);
    if (pipelines.includes('history')) startHistory(scope, config, stream, tail);
  },
});
