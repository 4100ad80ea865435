import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type LifecycleEvent, parseEventSubject } from '@trellis/contracts';
import { startOtlpCollector, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';

let nats: TestNats;
beforeAll(async () => {
  nats = await startTestNats();
});
afterAll(() => nats.stop());

const main = fileURLToPath(new URL('./main.ts', import.meta.url));

it('the example is ready, syncs an origin by one job at a time while others wait, and stops when told', async () => {
  await using collector = await startOtlpCollector();
  const nc = await nats.connect();
  const seen: LifecycleEvent[] = [];
  nc.subscribe('trellis.jobs.zendesk-sync.*.*.*', {
    callback: (_, message) => {
      if (parseEventSubject(message.subject)) seen.push(message.json());
    },
  });
  await nc.flush();
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    NATS_URL: nats.url,
    SPEED: '20',
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
  const ofFoo = (type: string) =>
    seen.filter(({ eventType, concurrency }) => eventType === type && concurrency?.key === 'zendesk:foo:tickets');
  try {
    const url = `http://127.0.0.1:${await port.promise}/ready`;
    await waitFor(async () => (await fetch(url)).status === 200, { what: 'readiness', timeoutMs: 20_000 });
    await waitFor(() => ofFoo('completed').length >= 6, { what: 'six syncs of foo', timeoutMs: 45_000 });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await once(child, 'exit')).toEqual([0, null]);
  // More were asked for than could run: some waited.
  expect(ofFoo('created').length).toBeGreaterThan(ofFoo('started').length);
  const turns = seen.flatMap(({ eventType, concurrency, jobId }) =>
    concurrency?.key === 'zendesk:foo:tickets' && (eventType === 'started' || eventType === 'completed')
      ? [[eventType, jobId]]
      : [],
  );
  for (let turn = 0; turn + 1 < turns.length; turn += 2) {
    expect(turns[turn]?.[0]).toBe('started');
    expect(turns[turn + 1]).toEqual(['completed', turns[turn]?.[1]]);
  }
  // A request that was coalesced made no job, and its span says so.
  const requests = collector.spans.filter(({ name }) => name === 'POST /syncs');
  const creations = collector.spans.filter(({ name }) => name === 'create trellis.work.zendesk-sync.sync-tickets');
  expect(new Set(creations.map(({ parentSpanId }) => parentSpanId))).toEqual(
    new Set(requests.map((one) => one.spanId)),
  );
  const made = creations.filter(({ attributes }) => attributes['trellis.job.created'] === undefined);
  expect(made.length).toBeLessThanOrEqual(seen.filter(({ eventType }) => eventType === 'created').length);
  expect(made.length).toBeGreaterThan(5);
  const keys = collector.spans.flatMap(({ kind, attributes }) => (kind === 5 ? [attributes['trellis.job.key']] : []));
  expect(keys).toContain('zendesk:foo:tickets');
});
