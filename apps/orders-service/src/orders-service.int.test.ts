import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EventType, type LifecycleEvent, parseEventSubject } from '@trellis/contracts';
import { type CollectedSpan, startOtlpCollector, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

it('one run of the example shows every fate of a job, is ready, keeps traces together, and stops when told', async () => {
  await using collector = await startOtlpCollector();
  const nc = await nats.connect();
  const seen: LifecycleEvent[] = [];
  nc.subscribe('trellis.jobs.orders-service.*.*.*', {
    callback: (_, message) => {
      if (parseEventSubject(message.subject)) seen.push(message.json());
    },
  });
  await nc.flush();
  const packed = () =>
    seen.find(({ jobType, eventType }) => jobType === 'notify-warehouse' && eventType === 'completed');
  // Thirty times faster than life: its round of a minute takes two seconds.
  const env = {
    ...baseEnv(),
    NATS_URL: nats.url,
    SPEED: '30',
    ORDERS_PER_SECOND: '2',
    HEALTH_PORT: '0',
    GRACE_MS: '200',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const port = Promise.withResolvers<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { message, port: served } = JSON.parse(line) as { message: string; port?: number };
    if (message === 'health is served' && served !== undefined) port.resolve(served);
  });
  try {
    const url = `http://127.0.0.1:${await port.promise}/ready`;
    await waitFor(async () => (await fetch(url)).status === 200, { what: 'readiness', timeoutMs: 20_000 });
    const wanted: EventType[] = ['created', 'started', 'retry', 'completed', 'failed', 'dead', 'progress', 'logged'];
    await waitFor(async () => wanted.every((type) => seen.some(({ eventType }) => eventType === type)) && packed(), {
      what: 'every fate',
      timeoutMs: 45_000,
    });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await once(child, 'exit')).toEqual([0, null]);
  const orderId = packed()?.jobId.replace(/-warehouse$/, '') ?? '';
  const completed = seen.filter(({ jobId, eventType }) => jobId.startsWith(orderId) && eventType === 'completed');
  const ofOrder = completed.filter(({ jobId }) =>
    [orderId, `${orderId}-payment`, `${orderId}-warehouse`].includes(jobId),
  );
  expect(ofOrder.map(({ jobType }) => jobType)).toEqual(['reserve-inventory', 'charge-payment', 'notify-warehouse']);
  expect(new Set(ofOrder.map(({ context }) => context.traceId)).size).toBe(1);
  expect(new Set(ofOrder.map(({ context }) => context.requestId)).size).toBe(1);
  // Everything was sent before the process ended. One trace tells of the order from its request to the last handler's calls.
  const trace = collector.spans.filter(({ traceId }) => traceId === ofOrder[0]?.context.traceId);
  const path = (span: CollectedSpan | undefined): string[] => {
    const parent = trace.find(({ spanId }) => spanId === span?.parentSpanId);
    return span === undefined ? [] : [...path(parent), span.name];
  };
  const work = (operation: string, type: string) => `${operation} trellis.work.orders-service.${type}`;
  const steps = ['reserve-inventory', 'charge-payment', 'notify-warehouse'];
  const below = ['POST /orders', ...steps.flatMap((type) => [work('create', type), work('process', type)])];
  expect(path(trace.find(({ name }) => name === 'publish orders.packed'))).toEqual([...below, 'publish orders.packed']);
  const payment = trace.find(({ attributes }) => attributes['url.path'] === '/charges');
  expect(path(payment)).toEqual([...below.slice(0, 5), 'POST']);
  const said = collector.logs.filter(({ attributes }) => attributes['trellis.job.id'] === `${orderId}-payment`);
  const spanIds = new Set(trace.map(({ spanId }) => spanId));
  expect(said.map(({ body }) => body)).toContainEqual(expect.stringMatching(/^charged: receipt-/));
  for (const { traceId, spanId } of said) expect([traceId, spanIds.has(spanId)]).toEqual([trace[0]?.traceId, true]);
});

/** What a process needs of the tests' own environment. */
function baseEnv(): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return { PATH, HOME };
}
