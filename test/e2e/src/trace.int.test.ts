import { createClient, type JobsClient } from '@trellis/client';
import { ATTR, type TraceNode, type TraceReply } from '@trellis/contracts';
import { isEnded } from '@trellis/lifecycle';
import { connectNats, JobStream, provision } from '@trellis/nats';
import { freshClickHouse, freshPostgres, startTestNats, waitFor } from '@trellis/test-support';
import { expect, it } from 'vitest';
import { startComponent } from './component-process.ts';

const TYPES = ['reserve-inventory', 'charge-payment', 'notify-warehouse'];

it('an order is one trace from its request to the last job, even if the service is killed in between', {
  timeout: 240_000,
}, async () => {
  await using nats = await startTestNats();
  await using postgres = await freshPostgres();
  await using clickhouse = await freshClickHouse();
  await using otel = await freshClickHouse();
  const nc = await connectNats({ url: nats.url, name: 'test' });
  await provision(nc);
  const stores = {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    CLICKHOUSE_URL: clickhouse.serverUrl,
    CLICKHOUSE_DATABASE: clickhouse.database,
    OTEL_DATABASE: otel.database,
  };
  await using receiver = await startComponent('otel-receiver', { ...stores, OTLP_PORT: '0' });
  const { port } = JSON.parse(receiver.lines.find((line) => line.includes('OTLP is served')) ?? '{}') as {
    port: number;
  };
  const env = { ...stores, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
  await using _projector = await startComponent('projector', env);
  await using _gateway = await startComponent('rpc-gateway', env);
  await using client = await createClient({ connection: nc });
  // Attempts of killed workers are repeated after 15 s, in separate traces.
  const orders = { ...env, SPEED: '10', ORDERS_PER_SECOND: '0.3', JOIN_TRACE_MS: '5000' };
  let service = await startComponent('orders-service', orders);

  const orderId = await completedOrder(client);
  const whole = await waitFor(() => completePicture(client, orderId), {
    timeoutMs: 30_000,
    what: `all spans of ${orderId}`,
  });
  expectOrderPicture(whole, orderId);

  const stream = await JobStream.open(nc);
  /** The active jobs, with their attempts so far. */
  let cutOff = new Map<string, number>();
  for (;;) {
    await waitFor(async () => (await inState(client, 'active')).length >= 3, {
      timeoutMs: 60_000,
      what: 'active jobs',
    });
    await service.end('SIGKILL');
    cutOff = await reallyActive(stream, await inState(client, 'active'));
    if (cutOff.size > 0) break;
    // The jobs that the projection showed had ended meanwhile.
    service = await startComponent('orders-service', orders);
  }
  await using _again = await startComponent('orders-service', { ...orders, ORDERS_PER_SECOND: '0' });
  await waitFor(
    async () => {
      const left = await Promise.all(Array.from(cutOff.keys(), (id) => client.rpc.jobs.get({ id })));
      return left.every(({ id, tries, state }) => tries > (cutOff.get(id) ?? 0) || isEnded(state));
    },
    { timeoutMs: 60_000, what: 'the jobs of the killed service to run again' },
  );
  const everything = await client.rpc.jobs.list({ service: 'orders-service', limit: 1_000 });
  for (const { id } of everything.entries) {
    const before = await attemptsStarted(stream, id);
    const picture = await client.rpc.jobs.trace({ id });
    expectOneRoot(picture);
    const shown = picture.nodes.filter((node) => node.jobId === id && operationOf(node) === 'process').length;
    // Jobs continue to run meanwhile.
    expect(shown, `attempts of ${id}`).toBeGreaterThanOrEqual(before);
    expect(shown, `attempts of ${id}`).toBeLessThanOrEqual(await attemptsStarted(stream, id));
  }
  const interrupted = await Promise.all(Array.from(cutOff.keys(), (id) => client.rpc.jobs.trace({ id })));
  expect(interrupted.some(({ nodes }) => nodes.some(({ missing }) => missing))).toBe(true);
  expect(interrupted.some(({ traceIds }) => traceIds.length > 1)).toBe(true);
});

async function reallyActive(stream: JobStream, ids: string[]): Promise<Map<string, number>> {
  const jobs = await Promise.all(ids.map(async (id) => (await stream.readJob(id)).job));
  return new Map(jobs.flatMap((job) => (job?.state === 'active' ? [[job.id, job.tries]] : [])));
}

async function attemptsStarted(stream: JobStream, id: string): Promise<number> {
  const { events } = await stream.readJob(id);
  return events.filter(({ event }) => event.eventType === 'started').length;
}

async function inState(client: JobsClient, state: 'active' | 'completed'): Promise<string[]> {
  const page = await client.rpc.jobs.list({ service: 'orders-service', state: [state], limit: 1_000 });
  return page.entries.map(({ id }) => id);
}

/** The id of an order whose last job has completed. */
const completedOrder = (client: JobsClient): Promise<string> =>
  waitFor(
    async () => (await inState(client, 'completed')).find((id) => id.endsWith('-warehouse'))?.replace('-warehouse', ''),
    { timeoutMs: 90_000, everyMs: 100, what: 'an order to complete' },
  );

/** The trace, once all its spans have arrived. */
async function completePicture(client: JobsClient, id: string): Promise<TraceReply | false> {
  const picture = await client.rpc.jobs.trace({ id });
  const types = new Set(picture.nodes.map(({ attributes }) => attributes[ATTR.jobType]));
  const arrived = picture.nodes.every(({ missing, running }) => !missing && !running);
  return arrived && TYPES.every((type) => types.has(type)) && picture.nodes[0]?.jobId === undefined && picture;
}

function expectOrderPicture(picture: TraceReply, orderId: string): void {
  expectOneRoot(picture);
  const { nodes, logs } = picture;
  const byId = new Map(nodes.map((node) => [node.spanId, node]));
  const above = (node: TraceNode | undefined) => byId.get(node?.parentSpanId ?? '');
  const find = (operation: string, jobId: string) =>
    nodes.find((node) => node.jobId === jobId && operationOf(node) === operation);
  // There may be further spans between that of the attempt and that of a creation.
  const maker = (jobId: string) => {
    let node = above(find('create', jobId));
    while (node && node.jobId === undefined && node.parentSpanId !== undefined) node = above(node);
    return node;
  };
  const [reserve, payment, warehouse] = [orderId, `${orderId}-payment`, `${orderId}-warehouse`];
  expect(maker(reserve)?.depth).toBe(0);
  for (const jobId of [reserve, payment, warehouse]) {
    const create = find('create', jobId)?.spanId;
    expect(create, jobId).toBeDefined();
    expect(above(find('process', jobId))?.spanId, jobId).toBe(create);
    expect([create, find('process', jobId)?.spanId]).toContain(above(find('wait', jobId))?.spanId);
  }
  expect(maker(payment)).toMatchObject({ jobId: reserve });
  expect(maker(warehouse)).toMatchObject({ jobId: payment });
  const logged = new Set(logs.map(({ jobId }) => jobId));
  expect([...logged]).toEqual(expect.arrayContaining([payment, warehouse]));
  for (const { spanId, message } of logs) expect(byId.has(spanId ?? ''), message).toBe(true);
}

function expectOneRoot({ id, nodes }: TraceReply): void {
  expect(nodes.filter(({ depth }) => depth === 0).length, `roots of ${id}`).toBe(1);
  const seen = new Set<string>();
  for (const { spanId, parentSpanId, depth } of nodes) {
    if (depth > 0) expect(seen.has(parentSpanId ?? ''), `parent of ${spanId}`).toBe(true);
    seen.add(spanId);
  }
}

const operationOf = ({ attributes }: TraceNode): string | undefined => attributes[ATTR.messagingOperationName];
