import { ATTR, TraceReply } from '@trellis/contracts';
import { openClickHouse } from '@trellis/store-clickhouse';
import { createTraceTables, type LogRecord, type SpanRecord, TraceReader, TraceWriter } from '@trellis/store-traces';
import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';

const KIB = 1_024;
const stack = new AsyncDisposableStack();
let gateway: GatewayFixture;
let writer: TraceWriter;
beforeAll(async () => {
  const database = stack.use(await freshClickHouse());
  const clickhouse = stack.use(openClickHouse({ url: database.url }));
  await createTraceTables(clickhouse, 7);
  writer = new TraceWriter(clickhouse);
  gateway = stack.use(
    await startGateway({
      traces: new TraceReader(clickhouse),
      natsConfig: `max_payload: ${64 * KIB}`,
      settings: { traceUrlTemplate: 'https://traces.example/{traceId}?org=1' },
    }),
  );
});
afterAll(() => stack.disposeAsync());

let count = 0;
const newId = (digits: number) => (++count).toString(16).padStart(digits, 'a');
const nowNs = () => BigInt(Date.now()) * 1_000_000n;

/** A job with a trace of its own. */
function tracedJob(type = 'reserve-inventory') {
  const [traceId, create, attempt] = [newId(32), newId(16), newId(16)];
  const context = { requestId: 'r-1', traceId, traceparent: `00-${traceId}-${create}-01` };
  return { ...newJob('orders-service', type), traceId, create, attempt, context };
}
type TracedJob = ReturnType<typeof tracedJob>;

async function run(job: TracedJob, traceId = job.traceId) {
  const { context } = job;
  await gateway.publish(job, 'created', { payload: {}, context });
  const attemptTraceparent = `00-${traceId}-${job.attempt}-01`;
  await gateway.publish(job, 'started', { tries: 1, context, attemptTraceparent });
  await gateway.publish(job, 'completed', { state: 'completed', tries: 1, context });
}

const span = (job: TracedJob, more: Partial<SpanRecord>): SpanRecord => ({
  traceId: job.traceId,
  spanId: newId(16),
  parentSpanId: '',
  traceState: '',
  name: 'span',
  kind: 'internal',
  service: 'orders-service',
  resource: {},
  scopeName: '',
  scopeVersion: '',
  attributes: {},
  startNs: nowNs(),
  durationNs: 1_000_000n,
  status: 'unset',
  statusMessage: '',
  events: [],
  links: [],
  ...more,
});

const creation = (job: TracedJob, parentSpanId: string): SpanRecord =>
  span(job, {
    spanId: job.create,
    parentSpanId,
    kind: 'producer',
    name: 'create',
    attributes: { [ATTR.jobId]: job.id, [ATTR.messagingOperationName]: 'create' },
  });

const log = (job: TracedJob, more: Partial<LogRecord>): LogRecord => ({
  timeNs: nowNs(),
  traceId: job.traceId,
  spanId: '',
  traceFlags: 1,
  severityText: 'INFO',
  severityNumber: 9,
  service: 'orders-service',
  body: 'line',
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

async function ask(id: string): Promise<TraceReply> {
  return TraceReply.parse(await gateway.client.rpc.jobs.trace({ id }));
}
const shapeOf = ({ nodes }: TraceReply) => nodes.map(({ depth, spanId, missing }) => [depth, spanId, missing ?? false]);

it('shows the request, the job, the jobs that it made, their late attempts and what operators did as one tree with its logs', async () => {
  const job = tracedJob();
  const child = tracedJob('charge-payment');
  const lateTrace = newId(32);
  Object.assign(child, { traceId: job.traceId });
  child.context.traceId = job.traceId;
  child.context.traceparent = `00-${job.traceId}-${child.create}-01`;
  const request = newId(16);
  await run(job);
  await run(child, lateTrace);
  await writer.insertSpans([
    span(job, { spanId: request, name: 'POST /orders', kind: 'server' }),
    creation(job, request),
    creation(child, job.attempt),
    span(job, {
      traceId: lateTrace,
      spanId: child.attempt,
      kind: 'consumer',
      links: [
        { traceId: job.traceId, spanId: child.create, traceState: '', attributes: { [ATTR.linkKind]: 'creation' } },
      ],
    }),
    span(job, { traceId: lateTrace, parentSpanId: child.attempt, spanId: 'c'.repeat(16) }),
    span(job, {
      traceId: newId(32),
      parentSpanId: newId(16),
      spanId: 'd'.repeat(16),
      name: 'trellis.jobs/Retry',
      attributes: { [ATTR.jobId]: child.id },
      startNs: nowNs() + 60_000_000n,
    }),
  ]);
  await writer.insertLogs([
    log(job, { body: 'of the request', spanId: request }),
    log(job, { traceId: lateTrace, body: 'of the late attempt', spanId: child.attempt }),
    log(job, { traceId: '', body: 'of the child', attributes: { [ATTR.jobId]: child.id } }),
  ]);
  const reply = await ask(job.id);
  expect(shapeOf(reply)).toEqual([
    [0, request, false],
    [1, job.create, false],
    [2, job.attempt, true],
    [3, child.create, false],
    [4, child.attempt, false],
    [5, 'c'.repeat(16), false],
    [4, 'd'.repeat(16), false],
  ]);
  expect(reply.traceIds).toEqual([job.traceId, lateTrace]);
  expect(reply.logs.map(({ message, spanId }) => [message, spanId]).sort()).toEqual([
    ['of the child', child.create],
    ['of the late attempt', child.attempt],
    ['of the request', request],
  ]);
  expect(reply.links).toEqual({ trace: `https://traces.example/${job.traceId}?org=1` });
  expect([reply.truncated, reply.eventsOnly]).toEqual([undefined, undefined]);
  expect(shapeOf(await ask(child.id)).map(([, spanId]) => spanId)).toEqual(shapeOf(reply).map(([, spanId]) => spanId));
});

it('a job that nobody traced has a picture from its events', async () => {
  const job = newJob();
  await gateway.publish(job, 'created', { payload: {} });
  await gateway.publish(job, 'started', { tries: 1, instanceId: 'host-1' });
  await gateway.publish(job, 'logged', {
    logs: [{ timestamp: '2026-01-01T10:00:00.000Z', level: 'warn', message: 'slow' }],
  });
  const reply = await ask(job.id);
  expect(reply.nodes).toMatchObject([
    { depth: 0, name: 'create trellis.work.orders-service.reserve-inventory', missing: true },
    { depth: 1, name: 'process trellis.work.orders-service.reserve-inventory', running: true },
  ]);
  expect(reply.logs).toMatchObject([{ level: 'warn', message: 'slow', jobId: job.id, spanId: reply.nodes[1]?.spanId }]);
});

it('without a store of spans, or one that answers, it is made of the events alone and says so', async () => {
  const job = tracedJob();
  await run(job);
  const own = gateway.ports.traces;
  await using nowhere = openClickHouse({ url: 'http://127.0.0.1:1' });
  for (const other of [undefined, new TraceReader(nowhere)]) {
    gateway.ports.traces = other;
    const reply = await ask(job.id);
    expect(reply.eventsOnly).toBe(true);
    expect(shapeOf(reply)).toEqual([
      [0, job.create, false],
      [1, job.attempt, false],
    ]);
  }
  gateway.ports.traces = own;
});

it('a picture that does not fit into a message is cut and says so', async () => {
  const job = tracedJob();
  await run(job);
  const long = { 'db.statement': 'x'.repeat(400) };
  await writer.insertSpans([
    creation(job, ''),
    ...Array.from({ length: 300 }, () =>
      span(job, { parentSpanId: job.create, name: 'query '.repeat(30), attributes: long }),
    ),
  ]);
  const reply = await ask(job.id);
  expect(reply.truncated).toBe(true);
  expect(reply.nodes.length).toBeGreaterThan(10);
  expect(reply.nodes[0]?.spanId).toBe(job.create);
});

it('a job that is not there is not found', async () => {
  await expect(ask('nobody')).rejects.toMatchObject({ code: 'not-found' });
});

it('every job of a reply has the link to its trace', async () => {
  const job = tracedJob();
  await run(job);
  await gateway.projected();
  const link = `https://traces.example/${job.traceId}?org=1`;
  const { jobs } = gateway.client.rpc;
  expect((await jobs.get({ id: job.id })).links).toEqual({ trace: link });
  const page = await jobs.list({ traceId: job.traceId, limit: 10 });
  expect(page.entries.map(({ id, links }) => [id, links?.trace])).toEqual([[job.id, link]]);
  const waiting = await gateway.jobIn('pending', { context: job.context });
  expect((await jobs.cancel({ id: waiting.id })).job.links).toEqual({ trace: link });
});
