// The raw rates of the three engines, one after another, without any of our logic. Runs in a separate process.
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { LifecycleEvent } from '@trellis/contracts';
import type { StackUrls } from '@trellis/devstack';
import { fold } from '@trellis/lifecycle';
import { connectNats } from '@trellis/nats';
import { migrateClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { migratePostgres, openPostgres } from '@trellis/store-postgres';
import { answerTask } from '../run-task.ts';

export interface RawFigures {
  events: number;
  consumeMs: number;
  upsertMs: number;
  insertMs: number;
}

answerTask(async (urls: StackUrls): Promise<RawFigures> => {
  const nc = await connectNats({ url: urls.nats, options: urls.natsOptions, name: 'bench' });
  const { ms: consumeMs, events } = await rawConsume(nc).finally(() => nc.close());
  const upsertMs = await rawPostgresUpsert(urls.postgres, events);
  const insertMs = await rawClickHouseInsert(urls.clickhouse, events);
  return { events: events.length, consumeMs, upsertMs, insertMs };
});

interface ParsedEvent {
  sequence: number;
  event: LifecycleEvent;
}

/** Consumes every message of JOBS and parses its JSON, without acknowledgements or checks. */
async function rawConsume(nc: NatsConnection): Promise<{ ms: number; events: ParsedEvent[] }> {
  const jsm = await jetstreamManager(nc);
  const { name } = await jsm.consumers.add('JOBS', {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.All,
    inactive_threshold: 60_000_000_000,
  });
  const consumer = await jetstream(nc).consumers.get('JOBS', name);
  const events: ParsedEvent[] = [];
  const started = performance.now();
  for await (const message of await consumer.consume({ max_messages: 10_000 })) {
    events.push({ sequence: message.seq, event: message.json<LifecycleEvent>() });
    if (message.info.pending === 0) break;
  }
  return { ms: performance.now() - started, events };
}

const ROWS_A_STATEMENT = 5_000;

/** Upserts the final rows into a table with our columns and indexes, 5,000 per statement. */
async function rawPostgresUpsert(url: string, parsed: ParsedEvent[]): Promise<number> {
  const eventsOfJob = Map.groupBy(parsed, ({ event }) => event.jobId);
  const rows = [...eventsOfJob.values()].flatMap((events) => {
    const job = fold(events.map((one) => ({ ...one, storedAt: one.event.timestamp })));
    return job ? [job] : [];
  });
  // The projector commits with the same setting.
  const settings = { synchronous_commit: 'off' };
  await using postgres = openPostgres({ url, schema: 'bench_raw', maxConnections: 1, settings });
  await migratePostgres(postgres);
  const columns: [name: string, type: string, value: (row: (typeof rows)[number]) => unknown][] = [
    ['id', 'text', (row) => row.id],
    ['service', 'text', (row) => row.service],
    ['type', 'text', (row) => row.type],
    ['state', 'text', (row) => row.state],
    ['tries', 'int', (row) => row.tries],
    ['max_tries', 'int', (row) => row.maxTries],
    ['request_id', 'text', (row) => row.context.requestId],
    ['trace_id', 'text', (row) => row.context.traceId],
    ['traceparent', 'text', (row) => row.context.traceparent],
    ['created_at', 'timestamptz', (row) => row.createdAt],
    ['updated_at', 'timestamptz', (row) => row.updatedAt],
    ['started_at', 'timestamptz', (row) => row.startedAt],
    ['completed_at', 'timestamptz', (row) => row.completedAt],
    ['instance_id', 'text', (row) => row.instanceId],
    ['payload', 'jsonb', (row) => JSON.stringify(row.payload)],
    ['payload_bytes', 'int', (row) => Buffer.byteLength(JSON.stringify(row.payload))],
    ['result', 'jsonb', (row) => JSON.stringify(row.result)],
    ['head_missing', 'bool', (row) => row.headMissing],
    ['handed_back', 'bool', (row) => row.handedBack],
    ['origin_sequence', 'bigint', (row) => row.originSequence],
    ['origin_at', 'timestamptz', (row) => row.originAt],
    ['first_sequence', 'bigint', (row) => row.firstSequence],
    ['last_sequence', 'bigint', (row) => row.lastSequence],
  ];
  const names = columns.map(([name]) => name).join(', ');
  const sql = `insert into jobs (${names})
    select * from unnest(${columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')})
    on conflict (id) do update set ${columns.map(([name]) => `${name} = excluded.${name}`).join(', ')}
    where jobs.last_sequence < excluded.last_sequence`;
  const started = performance.now();
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const batch = rows.slice(at, at + ROWS_A_STATEMENT);
    await postgres.query(
      sql,
      columns.map(([, , value]) => batch.map(value)),
    );
  }
  const ms = performance.now() - started;
  await postgres.query('drop schema bench_raw cascade');
  return ms;
}

const ROWS_A_BLOCK = 50_000;

/** Inserts the events into a table with our columns, order and codecs but no materialized views, 50,000 per block. */
async function rawClickHouseInsert(url: string, parsed: ParsedEvent[]): Promise<number> {
  await using ours = openClickHouse({ url, database: 'bench_ours' });
  await migrateClickHouse(ours);
  await using clickhouse = openClickHouse({ url, database: 'bench_raw' });
  await clickhouse.ensureDatabase();
  await clickhouse.client.command({ query: 'CREATE TABLE journal AS bench_ours.journal' });
  await ours.client.command({ query: 'DROP DATABASE bench_ours SYNC' });
  const started = performance.now();
  for (let at = 0; at < parsed.length; at += ROWS_A_BLOCK) {
    await clickhouse.client.insert({
      table: 'journal',
      format: 'JSONEachRow',
      values: parsed.slice(at, at + ROWS_A_BLOCK).map(({ sequence, event }) => ({
        stream_sequence: sequence,
        stored_at: Date.parse(event.timestamp),
        timestamp: Date.parse(event.timestamp),
        service: event.service,
        job_type: event.jobType,
        job_id: event.jobId,
        event_type: event.eventType,
        state: event.state,
        previous_state: event.previousState,
        tries: event.tries,
        max_tries: event.maxTries,
        request_id: event.context.requestId,
        trace_id: event.context.traceId,
        traceparent: event.context.traceparent,
        payload: event.payload === undefined ? '' : JSON.stringify(event.payload),
        result: event.result === undefined ? '' : JSON.stringify(event.result),
        instance_id: event.instanceId,
      })),
      clickhouse_settings: { async_insert: 0, input_format_null_as_default: 1 },
    });
  }
  const ms = performance.now() - started;
  await clickhouse.client.command({ query: 'DROP DATABASE bench_raw SYNC' });
  return ms;
}
