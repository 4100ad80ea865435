// The process that freshness is compared with: a consumer that upserts one row per event.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { DEFAULT_STREAM_NAMES, type LifecycleEvent } from '@trellis/contracts';
import { connectNats } from '@trellis/nats';
import { openPostgres } from '@trellis/store-postgres';
import { answerTask } from '../run-task.ts';

const UPSERT = readFileSync(join(import.meta.dirname, 'upsert-job.sql'), 'utf8');

answerTask(async ({ nats, postgres: url }: { nats: string; postgres: string }) => {
  const nc = await connectNats({ url: nats, name: 'bench bare projection' });
  const postgres = openPostgres({ url, maxConnections: 1, settings: { synchronous_commit: 'off' } });
  await postgres.ping();
  const consumer = await jetstream(nc).consumers.get(DEFAULT_STREAM_NAMES.jobs, { deliver_policy: DeliverPolicy.New });
  const messages = await consumer.consume();
  void (async () => {
    for await (const message of messages) {
      const event = message.json<LifecycleEvent>();
      const { requestId, traceId, traceparent } = event.context;
      await postgres.query(UPSERT, [
        event.jobId,
        event.service,
        event.jobType,
        event.state,
        event.tries,
        requestId,
        traceId,
        traceparent,
        event.timestamp,
        event.payload === undefined ? null : JSON.stringify(event.payload),
        message.seq,
      ]);
    }
  })();
  return { ready: true };
});
