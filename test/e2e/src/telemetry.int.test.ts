import { silentLogger } from '@trellis/async';
import { createClient, type JobsClient } from '@trellis/client';
import { CATALOGUE, prometheusName, type SpanEntry, spanEntryOf } from '@trellis/instrumentation';
import { createService, queue } from '@trellis/jobs';
import {
  type CollectedSpan,
  freshClickHouse,
  freshPostgres,
  type OtlpCollector,
  startOtlpCollector,
  startTestNats,
} from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ComponentProcess, startComponent } from './component-process.ts';
import { familiesOf, promtool, scrape } from './promtool.ts';

const COMPONENTS = [
  'projector',
  'rpc-gateway',
  'janitor',
  'heartbeat-aggregator',
  'orders-service',
  'zendesk-sync',
] as const;
const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const;

/** `trellis.janitor.actions.<what>` matches any action. */
const isDocumented = (key: string, { attributes, sometimes = [] }: SpanEntry): boolean =>
  [...attributes, ...sometimes].some(
    (name) => key === name || (name.endsWith('<what>') && key.startsWith(name.slice(0, -6))),
  );

const stack = new AsyncDisposableStack();
const processes = new Map<string, ComponentProcess>();
let collector: OtlpCollector;
let client: JobsClient;
const expiring = ulid();

beforeAll(async () => {
  const nats = stack.use(await startTestNats());
  const postgres = stack.use(await freshPostgres());
  const clickhouse = stack.use(await freshClickHouse());
  collector = stack.use(await startOtlpCollector());
  const env = {
    NATS_URL: nats.url,
    DATABASE_URL: postgres.url,
    CLICKHOUSE_URL: clickhouse.serverUrl,
    CLICKHOUSE_DATABASE: clickhouse.database,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    JANITOR_INTERVAL_MS: '500',
    ORDERS_PER_SECOND: '1',
    REQUESTS_PER_SECOND: '1',
    SPEED: '10',
  };
  const started = await Promise.all(
    COMPONENTS.map(async (name) => [name, stack.use(await startComponent(name, env))] as const),
  );
  for (const [name, component] of started) processes.set(name, component);
  client = stack.use(await createClient({ url: nats.url }));
  // A job without a worker, which the janitor expires at its deadline.
  const service = await createService({
    name: 'nobody',
    nats: { url: nats.url },
    queues: { waits: queue({ payload: z.object({}), defaultDeadlineMs: 1_000 }) },
    log: silentLogger(),
  });
  stack.defer(() => service.stop());
  await service.jobs.waits.create({}, { id: expiring });
}, 120_000);
afterAll(() => stack.disposeAsync(), 60_000);

describe('the metrics of all processes together', () => {
  const documented = CATALOGUE.map(({ name, unit, kind }) =>
    prometheusName({ name, unit, monotonic: kind === 'counter' }),
  );
  const exported = async () => {
    const texts = await Promise.all([...processes.values()].map(({ health }) => scrape(health)));
    return new Set(texts.flatMap(familiesOf).filter((name) => name !== 'target_info'));
  };

  test('are exactly the documented ones', async () => {
    await client.rpc.jobs.list({ limit: 1 });
    await expect.poll(async () => [...(await exported())].sort(), { timeout: 60_000 }).toEqual(documented.sort());
  });

  test.each(COMPONENTS)('pass the check of promtool: %s', async (name) => {
    const text = await scrape(processes.get(name)?.health ?? '');
    expect(await promtool(['check', 'metrics'], text)).toEqual({ code: 0, said: '' });
  });

  test('count the jobs that ran, in the process that documents the metric', async () => {
    const value = async (name: string, metric: string) => {
      const text = await scrape(processes.get(name)?.health ?? '');
      const [, found] = new RegExp(`^${metric.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text) ?? [];
      return Number(found);
    };
    const queueOf = 'service="orders-service",type="reserve-inventory"';
    await expect
      .poll(() => value('projector', `trellis_job_events_total{${queueOf},event_type="completed"}`))
      .toBeGreaterThan(0);
    expect(await value('orders-service', `trellis_job_attempts_total{${queueOf},outcome="completed"}`)).toBeGreaterThan(
      0,
    );
    expect(await value('projector', 'trellis_projector_owner{pipeline="history"}')).toBe(1);
    await expect
      .poll(() => value('heartbeat-aggregator', 'trellis_presence_workers{service="orders-service",status="live"}'))
      .toBe(3);
    await expect
      .poll(() => value('rpc-gateway', 'trellis_queue_jobs{service="nobody",type="waits",state="expired"}'))
      .toBe(1);
  });
});

describe('the spans of all processes together', () => {
  const kindOf = ({ kind }: CollectedSpan) => KINDS[kind] ?? 'internal';
  const of = (service: string, name: RegExp) =>
    collector.spans.filter((span) => span.service === service && name.test(span.name));

  test('come from every process', async () => {
    await expect
      .poll(() => new Set(collector.spans.map(({ service }) => service)))
      .toEqual(new Set(COMPONENTS.filter((name) => name !== 'heartbeat-aggregator')));
  });

  test('are documented, and have the documented attributes and links', async () => {
    await client.rpc.jobs.get({ id: expiring });
    await expect.poll(() => of('rpc-gateway', /^trellis\.jobs\/Get$/).length).toBeGreaterThan(0);
    const wrong = new Set<string>();
    for (const span of collector.spans) {
      // Services may record further spans.
      if (span.service.match(/^(orders-service|zendesk-sync)$/) && kindOf(span) === 'server') continue;
      const where = `${span.service}: ${span.name} (${kindOf(span)})`;
      const entry = spanEntryOf(span.name, kindOf(span));
      if (!entry) {
        wrong.add(`${where} is not documented`);
        continue;
      }
      for (const key of entry.attributes) if (!(key in span.attributes)) wrong.add(`${where} lacks ${key}`);
      for (const { attributes } of span.links) {
        if (!entry.links?.includes(String(attributes['trellis.link']))) {
          wrong.add(`${where} has a link ${attributes['trellis.link']}`);
        }
      }
      for (const key of Object.keys(span.attributes)) {
        if (key.startsWith('trellis.') && !isDocumented(key, entry)) wrong.add(`${where} has ${key}, not documented`);
      }
    }
    expect([...wrong]).toEqual([]);
  });

  test('a batch of the projector is a separate trace that links to creations', async () => {
    const creations = () => new Set(of('orders-service', /^create /).map(({ spanId }) => spanId));
    for (const pipeline of ['current', 'history']) {
      await expect
        .poll(() =>
          of('projector', new RegExp(`^project ${pipeline}$`)).some(({ links, parentSpanId }) =>
            links.some(({ spanId }) => parentSpanId === '' && creations().has(spanId)),
          ),
        )
        .toBe(true);
    }
    // One span per batch: no spans of Postgres statements or ClickHouse inserts.
    expect(collector.spans.filter(({ service, name }) => service === 'projector' && !/^project /.test(name))).toEqual(
      [],
    );
  });

  test('the statements of an RPC are its children, in the trace of its caller', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    await client.rpc.jobs.list({ limit: 1 }, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    const mine = () => collector.spans.filter((span) => span.traceId === traceId);
    const server = () => mine().find(({ name }) => name === 'trellis.jobs/List');
    await expect.poll(() => server()?.parentSpanId).toBe('00f067aa0ba902b7');
    const statements = mine().filter(({ name }) => name.startsWith('pg.query:'));
    expect(statements.length).toBeGreaterThan(0);
    for (const { parentSpanId } of statements) expect(parentSpanId).toBe(server()?.spanId);
  });

  test('an action of the janitor on a job is a child of its pass and links to the job’s creation', async () => {
    const expired = () =>
      of('janitor', /^expire trellis\.work\.nobody\.waits$/).find(
        ({ attributes }) => attributes['trellis.job.id'] === expiring,
      );
    await expect.poll(() => expired() !== undefined, { timeout: 30_000 }).toBe(true);
    const pass = of('janitor', /^janitor deadlines$/).find(({ spanId }) => spanId === expired()?.parentSpanId);
    await expect
      .poll(() => of('janitor', /^janitor deadlines$/).some(({ spanId }) => spanId === expired()?.parentSpanId))
      .toBe(true);
    expect(pass?.parentSpanId ?? '').toBe('');
    const job = await client.rpc.jobs.get({ id: expiring });
    expect(expired()?.links.map(({ spanId }) => job.context.traceparent.includes(spanId))).toEqual([true]);
  });
});

test('log lines about a job are in its trace', async () => {
  const about = () =>
    collector.logs.find(
      ({ service, attributes }) => service === 'janitor' && attributes['trellis.job.id'] === expiring,
    );
  await expect.poll(() => about()?.body, { timeout: 30_000 }).toBe('the job exceeded its deadline');
  const job = await client.rpc.jobs.get({ id: expiring });
  expect(about()?.attributes['trellis.trace.id']).toBe(job.context.traceId);
  expect(about()?.spanId).not.toBe('');
});

test('a process that is stopped sends its remaining telemetry', async () => {
  const gateway = processes.get('rpc-gateway');
  await client.rpc.jobs.health();
  const before = collector.logs.length;
  expect(await gateway?.end('SIGTERM')).toBe(0);
  const last = collector.logs.slice(before).filter(({ service }) => service === 'rpc-gateway');
  expect(last.map(({ body }) => body)).toContain('rpc-gateway has stopped');
  expect(collector.spans.some(({ name }) => name === 'trellis.jobs/Health')).toBe(true);
});
