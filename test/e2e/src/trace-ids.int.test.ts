import { createClient as openClickHouse } from '@clickhouse/client';
import { silentLogger } from '@trellis/async';
import { createClient } from '@trellis/client';
import { createService, queue } from '@trellis/jobs';
import { JobStream } from '@trellis/nats';
import { waitFor } from '@trellis/test-support';
import pg from 'pg';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { startComponent } from './component-process.ts';
import { startServers } from './start-servers.ts';

const JOBS = 1_000;

it('for a thousand jobs the stream, its headers, Postgres, ClickHouse and the RPCs have the same trace id', {
  timeout: 180_000,
}, async () => {
  await using servers = await startServers();
  const { nc, env, clickhouse } = servers;
  await using _projector = await startComponent('projector', env);
  await using _gateway = await startComponent('rpc-gateway', env);

  const queues = { work: queue({ payload: z.object({ number: z.number() }), concurrency: 50 }) };
  const service = await createService({ name: 'traced-service', nats: nc, queues, log: silentLogger() });
  await service.jobs.work.handle(async () => undefined);
  const numbers = Array.from({ length: JOBS }, (_, number) => number);
  const created = await Promise.all(numbers.map((number) => service.jobs.work.create({ number })));
  await Promise.all(created.map((job) => job.wait({ timeoutMs: 60_000 })));
  await service.stop();

  const stream = await JobStream.open(nc);
  const { lastSequence } = await stream.info();
  const expected = new Map<string, string>();
  for (let sequence = 1; sequence <= lastSequence; sequence++) {
    const message = await nc.request('$JS.API.DIRECT.GET.JOBS', JSON.stringify({ seq: sequence }));
    const { jobId, context } = message.json<{ jobId: string; context: { traceId: string; traceparent: string } }>();
    expect(message.headers?.get('traceparent')).toBe(context.traceparent);
    expect(context.traceparent.slice(3, 35)).toBe(context.traceId);
    expect(expected.get(jobId) ?? context.traceId).toBe(context.traceId);
    expected.set(jobId, context.traceId);
  }
  expect([...expected.keys()].sort()).toEqual(created.map(({ id }) => id).sort());
  expect(new Set(expected.values()).size).toBe(JOBS);

  const pool = new pg.Pool({ connectionString: servers.postgresUrl });
  pool.on('error', () => undefined);
  const rows = () => pool.query<{ id: string; trace_id: string }>(`select id, trace_id from trellis_jobs.jobs`);
  await waitFor(
    async () => (await pool.query(`select from trellis_jobs.jobs where state = 'completed'`)).rowCount === JOBS,
    { timeoutMs: 60_000, what: 'Postgres to catch up' },
  );
  expect(new Map((await rows()).rows.map(({ id, trace_id }) => [id, trace_id]))).toEqual(expected);
  await pool.end();

  await using history = openClickHouse({ url: clickhouse.url, database: clickhouse.database });
  const traces = async (view: string) => {
    const query = `SELECT job_id, groupUniqArray(trace_id), count() FROM ${view} GROUP BY job_id`;
    return (await history.query({ query, format: 'JSONCompactEachRow' })).json<[string, string[], string | number]>();
  };
  const counted = (answer: Awaited<ReturnType<typeof traces>>) => answer.reduce((sum, [, , n]) => sum + Number(n), 0);
  await waitFor(async () => counted(await traces('events')) === lastSequence, {
    timeoutMs: 60_000,
    what: 'ClickHouse to catch up',
  });
  for (const view of ['events', 'runs']) {
    const found = new Map((await traces(view)).map(([id, ids]) => [id, ids.join()]));
    expect([view, found]).toEqual([view, expected]);
  }

  await using client = await createClient({ connection: nc });
  const shown = await Promise.all(created.map(({ id }) => client.rpc.jobs.get({ id })));
  expect(new Map(shown.map((job) => [job.id, job.context.traceId]))).toEqual(expected);
  const [first] = created;
  const traceId = expected.get(first?.id ?? '') ?? '';
  expect((await client.rpc.jobs.list({ traceId, limit: 10 })).entries.map(({ id }) => id)).toEqual([first?.id]);
});
