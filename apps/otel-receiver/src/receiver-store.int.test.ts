import { diag, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { TraceReader } from '@trellis/store-traces';
import { expect, it } from 'vitest';
import { startReceiver } from './testing/receiver-process.ts';
import { startRelay } from './testing/relay.ts';
import { fixed64, message, sized } from './testing/wire.ts';

const period = { from: Date.now() - 60_000, to: Date.now() + 60_000 };
const START = BigInt(Date.now()) * 1_000_000n;

/** @param more bytes beside the span's own */
const oneSpan = (traceId: string, more = 0) =>
  message(
    sized(
      1,
      message(
        sized(
          2,
          message(
            sized(
              2,
              message(
                sized(1, Buffer.from(traceId, 'hex')),
                sized(2, Buffer.from('00f067aa0ba902b7', 'hex')),
                fixed64(7, START),
                sized(99, Buffer.alloc(more)),
              ),
            ),
          ),
        ),
      ),
    ),
  );

it('what the JavaScript SDK exports arrives: spans, logs, metrics', async () => {
  await using receiver = await startReceiver();
  const resource = resourceFromAttributes({ 'service.name': 'sdk-service' });
  const spans = new SimpleSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${receiver.url}/v1/traces` }) });
  const tracers = new TracerProvider({ resource, spanProcessors: [spans] });
  const span = tracers.getTracer('lib', '1.0').startSpan('create order', {
    kind: SpanKind.PRODUCER,
    attributes: { 'trellis.job.id': 'job-of-sdk' },
    links: [
      { context: { traceId: 'cd'.repeat(16), spanId: 'ef'.repeat(8), traceFlags: 1 }, attributes: { why: 'test' } },
    ],
  });
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'no stock' });
  const { traceId, spanId } = span.spanContext();
  span.end();
  const loggers = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter({ url: `${receiver.url}/v1/logs` }) })],
  });
  loggers.getLogger('lib').emit({
    body: 'shelf empty',
    severityText: 'WARN',
    severityNumber: 13,
    attributes: { 'trellis.job.id': 'job-of-sdk' },
  });
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics` }),
  });
  const meters = new MeterProvider({ resource, readers: [reader] });
  meters.getMeter('lib').createCounter('orders').add(1);
  await Promise.all([tracers.forceFlush(), loggers.forceFlush(), meters.forceFlush()]);

  const store = new TraceReader(receiver.store);
  const query = { traceIds: [traceId], jobIds: ['job-of-sdk'], period, limit: 10 };
  await expect
    .poll(() => store.spansOf(query))
    .toMatchObject([
      {
        traceId,
        spanId,
        name: 'create order',
        kind: 'producer',
        service: 'sdk-service',
        status: 'error',
        statusMessage: 'no stock',
        attributes: { 'trellis.job.id': 'job-of-sdk' },
        links: [{ traceId: 'cd'.repeat(16), spanId: 'ef'.repeat(8), attributes: { why: 'test' } }],
      },
    ]);
  await expect
    .poll(() => store.logsOf(query))
    .toMatchObject([{ body: 'shelf empty', severityText: 'WARN', severityNumber: 13, service: 'sdk-service' }]);
  await Promise.all([tracers.shutdown(), loggers.shutdown(), meters.shutdown()]);
  diag.disable();
  trace.disable();
});

it('while the store is away it takes as much as may wait, then says when to come again; nothing taken is lost', async () => {
  await using relay = await startRelay();
  await using receiver = await startReceiver({ OTLP_MAX_QUEUED_BYTES: '2048' }, relay.through);
  relay.cut();
  const ids = Array.from({ length: 5 }, (_, index) => (index + 1).toString(16).padStart(32, 'b'));
  const answers: Response[] = [];
  for (const id of ids) answers.push(await receiver.post('/v1/traces', oneSpan(id, 600)));
  const taken = ids.filter((_, index) => answers[index]?.status === 200);
  const refused = answers.filter(({ status }) => status !== 200);
  expect(taken.length).toBeGreaterThan(0);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 503));
  expect(refused[0]?.headers.get('retry-after')).toMatch(/^\d+$/);
  relay.mend();
  const store = new TraceReader(receiver.store);
  const found = async () =>
    (await store.spansOf({ traceIds: ids, jobIds: [], period, limit: 10 })).map(({ traceId }) => traceId).sort();
  await expect.poll(found).toEqual(taken);
  await expect.poll(async () => (await receiver.post('/v1/traces', oneSpan('dd'.repeat(16)))).status).toBe(200);
});

it('what was taken last is stored before it ends', async () => {
  await using receiver = await startReceiver({ FLUSH_INTERVAL_MS: '10000' });
  await receiver.post('/v1/traces', oneSpan('ee'.repeat(16)));
  await receiver.stop();
  const query = { traceIds: ['ee'.repeat(16)], jobIds: [], period, limit: 10 };
  expect(await new TraceReader(receiver.store).spansOf(query)).toHaveLength(1);
});

it('makes its tables again when somebody drops the database, and loses nothing that waits', async () => {
  await using receiver = await startReceiver();
  const { database, client } = receiver.store;
  await receiver.post('/v1/traces', oneSpan('ab'.repeat(16)));
  const find = (traceId: string) =>
    new TraceReader(receiver.store).spansOf({ traceIds: [traceId], jobIds: [], period, limit: 10 });
  await expect.poll(() => find('ab'.repeat(16))).toHaveLength(1);
  await client.command({ query: `DROP TABLE ${database}.otel_traces_trace_id_ts_mv` });
  await client.command({ query: `DROP TABLE ${database}.otel_traces` });
  await receiver.post('/v1/traces', oneSpan('cd'.repeat(16)));
  await expect.poll(() => find('cd'.repeat(16)).catch(() => [])).toHaveLength(1);
});
