import { openClickHouse } from '@trellis/store-clickhouse';
import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createTraceTables,
  type LogRecord,
  RowsRefused,
  type SpanRecord,
  TablesGone,
  TraceReader,
  TracesUnavailable,
  TraceWriter,
} from './index.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

const now = BigInt(Date.now()) * 1_000_000n;
const period = { from: Number(now / 1_000_000n) - 60_000, to: Number(now / 1_000_000n) + 60_000 };
let count = 0;
const newTraceId = () => (++count).toString(16).padStart(32, '0');

const span = (more: Partial<SpanRecord>): SpanRecord => ({
  traceId: 'ab'.repeat(16),
  spanId: (++count).toString(16).padStart(16, '0'),
  parentSpanId: '',
  traceState: 'vendor=1',
  name: 'process trellis.work.orders-service.charge-payment',
  kind: 'consumer',
  service: 'orders-service',
  resource: { 'service.name': 'orders-service', 'service.instance.id': 'host-1' },
  scopeName: '@trellis/jobs',
  scopeVersion: '1.0.0',
  attributes: {},
  startNs: now + 123_456_789n,
  durationNs: 1_500_000_001n,
  status: 'error',
  statusMessage: 'no stock',
  events: [],
  links: [],
  ...more,
});

const log = (more: Partial<LogRecord>): LogRecord => ({
  timeNs: now + 1n,
  traceId: '',
  spanId: '',
  traceFlags: 1,
  severityText: 'WARN',
  severityNumber: 13,
  service: 'orders-service',
  body: 'slow',
  attributes: {},
  resource: {},
  resourceSchemaUrl: '',
  scopeName: '',
  scopeVersion: '',
  scopeSchemaUrl: '',
  scopeAttributes: {},
  eventName: '',
  ...more,
});

async function open() {
  const database = stack.use(await freshClickHouse());
  return stack.use(openClickHouse({ url: database.serverUrl, database: database.database }));
}

let clickhouse: Awaited<ReturnType<typeof open>>;
let writer: TraceWriter;
let reader: TraceReader;
beforeAll(async () => {
  clickhouse = await open();
  await createTraceTables(clickhouse, 3);
  await createTraceTables(clickhouse, 3);
  writer = new TraceWriter(clickhouse);
  reader = new TraceReader(clickhouse);
});

it('reads a span back unchanged, to the nanosecond', async () => {
  const traceId = newTraceId();
  const written = span({
    traceId,
    attributes: { 'trellis.job.id': 'job-1', odd: 'a\ud800b\u0000"\n' },
    events: [{ timeNs: now + 5n, name: 'exception', attributes: { 'exception.type': 'Error' } }],
    links: [
      {
        traceId: 'cd'.repeat(16),
        spanId: 'ef'.repeat(8),
        traceState: 'v=2',
        attributes: { 'trellis.link': 'creation' },
      },
    ],
  });
  await writer.insertSpans([written, span({})]);
  const [read, ...others] = await reader.spansOf({ traceIds: [traceId], jobIds: [], period, limit: 10 });
  const { traceState: _state, scopeName: _name, scopeVersion: _version, events: _events, ...shown } = written;
  expect(read).toEqual({
    ...shown,
    attributes: { 'trellis.job.id': 'job-1', odd: 'a\ufffdb\u0000"\n' },
    links: [{ traceId: 'cd'.repeat(16), spanId: 'ef'.repeat(8), attributes: { 'trellis.link': 'creation' } }],
  });
  expect(others).toEqual([]);
});

it('finds the spans of a job in any trace, within the period', async () => {
  const jobId = 'job-in-two-traces';
  const traces = [newTraceId(), newTraceId()];
  await writer.insertSpans([
    span({ traceId: traces[0] as string, attributes: { 'trellis.job.id': jobId } }),
    span({ traceId: traces[1] as string, attributes: { 'trellis.job.id': jobId }, startNs: now + 2_000_000_000n }),
    span({ traceId: newTraceId(), attributes: { other: jobId } }),
  ]);
  const find = async (when: typeof period) =>
    (await reader.spansOf({ traceIds: [], jobIds: [jobId], period: when, limit: 10 })).map(({ traceId }) => traceId);
  expect(await find(period)).toEqual(traces);
  expect(await find({ ...period, to: Number(now / 1_000_000n) + 1_000 })).toEqual([traces[0]]);
});

it('leaves out spans that only read a job', async () => {
  const rpc = (method: string) => ({
    'trellis.job.id': 'looked-at',
    'rpc.service': 'trellis.jobs',
    'rpc.method': method,
  });
  await writer.insertSpans(
    ['Get', 'Trace', 'History', 'Retry'].map((method) => span({ traceId: newTraceId(), attributes: rpc(method) })),
  );
  const found = await reader.spansOf({ traceIds: [], jobIds: ['looked-at'], period, limit: 10 });
  expect(found.map(({ attributes }) => attributes['rpc.method'])).toEqual(['Retry']);
});

it('returns a span that was delivered twice once, and no more spans than the limit', async () => {
  const traceId = newTraceId();
  const twice = span({ traceId });
  await writer.insertSpans([twice]);
  await writer.insertSpans([twice, span({ traceId, startNs: now + 900_000_000n })]);
  const query = { traceIds: [traceId], jobIds: [], period };
  expect(await reader.spansOf({ ...query, limit: 10 })).toHaveLength(2);
  expect((await reader.spansOf({ ...query, limit: 1 })).map(({ spanId }) => spanId)).toEqual([twice.spanId]);
});

it('finds log records by trace, by job and by a trace that their attributes name, each once, by time', async () => {
  const traceId = newTraceId();
  await writer.insertLogs([
    log({ traceId, body: 'third', timeNs: now + 3n }),
    log({ traceId, body: 'first', timeNs: now + 1n, attributes: { 'trellis.job.id': 'logged-job' } }),
    log({ body: 'second', timeNs: now + 2n, attributes: { jobId: 'logged-job' } }),
    log({ body: 'fourth', timeNs: now + 4n, attributes: { 'trellis.trace.id': traceId } }),
    log({ body: 'of nobody', attributes: { jobId: 'another' } }),
  ]);
  const found = await reader.logsOf({ traceIds: [traceId], jobIds: ['logged-job'], period, limit: 10 });
  expect(found.map(({ body }) => body)).toEqual(['first', 'second', 'third', 'fourth']);
  expect(found[2]).toEqual({
    timeNs: now + 3n,
    traceId,
    spanId: '',
    severityText: 'WARN',
    severityNumber: 13,
    service: 'orders-service',
    body: 'third',
    attributes: {},
  });
});

it('finds jobs by the bloom filter over the attributes, and traces by the table of their periods', async () => {
  const explained = async (condition: string) => {
    const query = `EXPLAIN indexes = 1 SELECT count() FROM otel_traces WHERE ${condition}`;
    const result = await clickhouse.client.query({ query, format: 'TabSeparated' });
    return result.text();
  };
  expect(await explained(`hasAny(mapValues(SpanAttributes), ['job-1'])`)).toContain('idx_span_attr_value');
  expect(await explained(`TraceId IN ['${'ab'.repeat(16)}']`)).toContain('idx_trace_id');
});

it('distinguishes refused rows, missing tables and a server that is down', async () => {
  const other = await open();
  await expect(new TraceWriter(other).insertSpans([span({})])).rejects.toThrow(TablesGone);
  await createTraceTables(other, 3);
  await other.client.command({ query: `ALTER TABLE otel_traces ADD CONSTRAINT no_poison CHECK SpanName != 'poison'` });
  await expect(new TraceWriter(other).insertSpans([span({ name: 'poison' })])).rejects.toThrow(RowsRefused);
  const nowhere = stack.use(openClickHouse({ url: 'http://127.0.0.1:1', database: 'otel' }));
  await expect(new TraceWriter(nowhere).insertSpans([span({})])).rejects.toThrow('ECONNREFUSED');
});

it('sets the retention of every table', async () => {
  const result = await clickhouse.client.query({
    query: `SELECT name, extract(engine_full, 'TTL (.*) SETTINGS') AS ttl FROM system.tables
      WHERE database = currentDatabase() AND engine = 'MergeTree' ORDER BY name`,
    format: 'JSONEachRow',
  });
  expect(await result.json()).toEqual([
    { name: 'otel_logs', ttl: 'TimestampTime + toIntervalDay(3)' },
    { name: 'otel_traces', ttl: 'toDateTime(Timestamp) + toIntervalDay(3)' },
    { name: 'otel_traces_trace_id_ts', ttl: 'toDateTime(Start) + toIntervalDay(3)' },
  ]);
});

it('reads rows of other collector releases: other names of kinds, other types in the table of periods', async () => {
  const other = await open();
  await createTraceTables(other, 3_000);
  for (const query of [
    'DROP TABLE otel_traces_trace_id_ts_mv',
    'DROP TABLE otel_traces_trace_id_ts',
    `CREATE TABLE otel_traces_trace_id_ts (
      TraceId String, Start SimpleAggregateFunction(min, DateTime64(9)), End SimpleAggregateFunction(max, DateTime64(9))
    ) ENGINE = AggregatingMergeTree ORDER BY TraceId`,
    `INSERT INTO otel_traces_trace_id_ts VALUES ('${'ab'.repeat(16)}', '2026-03-01 12:00:00.5', '2026-03-01 12:00:00.5')`,
    `INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, StatusCode) VALUES
      ('2026-03-01 12:00:00.5', '${'ab'.repeat(16)}', '${'cd'.repeat(8)}', 'GET /', 'SPAN_KIND_SERVER', 'STATUS_CODE_OK')`,
  ]) {
    await other.client.command({ query });
  }
  const found = await new TraceReader(other).spansOf({ traceIds: ['ab'.repeat(16)], jobIds: [], period, limit: 10 });
  expect(found).toMatchObject([{ name: 'GET /', kind: 'server', status: 'ok', links: [] }]);
});

it('throws TracesUnavailable without tables and without a server', async () => {
  const query = { traceIds: ['ab'.repeat(16)], jobIds: [], period, limit: 1 };
  await expect(new TraceReader(await open()).spansOf(query)).rejects.toThrow(TracesUnavailable);
  const nowhere = stack.use(openClickHouse({ url: 'http://127.0.0.1:1', database: 'otel' }));
  await expect(new TraceReader(nowhere).logsOf(query)).rejects.toThrow(TracesUnavailable);
});
