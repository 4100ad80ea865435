// The examples of the operators' guide, one by one, on a running system with real workers.

import { silentLogger } from '@trellis/async';
import type { Job } from '@trellis/contracts';
import { createService, NonRetryableError, queue } from '@trellis/jobs';
import { waitFor } from '@trellis/test-support';
import { ulid } from 'ulid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type RunningSystem, startSystem } from './testing/running-system.ts';
import { runCli } from './testing/spawn-cli.ts';

const payload = z.object({ mode: z.enum(['wait', 'fail', 'decline', 'work']) });
const stack = new AsyncDisposableStack();
let system: RunningSystem;
let orders: Awaited<ReturnType<typeof startOrders>>;
let zendesk: Awaited<ReturnType<typeof startZendesk>>;
/** What handlers do with jobs that were made to go wrong: after an operator has fixed the cause they work. */
let fixed = false;
const runs: string[] = [];

beforeAll(async () => {
  system = stack.use(await startSystem(['heartbeat-aggregator']));
  orders = await startOrders();
  zendesk = await startZendesk();
}, 90_000);
afterAll(() => stack.disposeAsync());

async function startOrders() {
  const service = await createService({
    name: 'orders-service',
    nats: await system.nats.connect(),
    heartbeatIntervalMs: 500,
    version: '4.2.0',
    log: silentLogger(),
    queues: {
      'reserve-inventory': queue({ payload: z.object({ sku: z.string() }) }),
      'charge-payment': queue({ payload, maxDeliver: 2, backoffMs: [600_000], concurrency: 5 }),
      'notify-warehouse': queue({ payload, maxDeliver: 1 }),
    },
  });
  stack.defer(() => service.stop({ graceMs: 0 }));
  for (const name of ['charge-payment', 'notify-warehouse'] as const) {
    await service.jobs[name].handle(async (job) => {
      runs.push(job.id);
      const { mode } = job.payload;
      if (mode === 'wait') await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
      if (mode === 'fail' && !fixed) throw new NonRetryableError('no such card');
      if (mode === 'decline' && !fixed) throw new Error('card declined');
    });
  }
  return service;
}

async function startZendesk() {
  const service = await createService({
    name: 'zendesk-sync',
    nats: await system.nats.connect(),
    log: silentLogger(),
    queues: {
      'sync-tickets': queue({
        payload: z.object({ origin: z.string() }),
        keyConcurrency: { key: ['zendesk', '/origin', 'tickets'] },
        queue: { maxQueuedPerKey: 10 },
      }),
    },
  });
  stack.defer(() => service.stop({ graceMs: 0 }));
  await service.jobs['sync-tickets'].handle(
    (job) => new Promise((resolve) => job.signal.addEventListener('abort', () => resolve(undefined))),
  );
  return service;
}

const reach = (id: string, state: Job['state']): Promise<Job> =>
  waitFor(
    async () => {
      const job = await system.client.rpc.jobs.get({ id }).catch(() => undefined);
      return job?.state === state && job;
    },
    { what: `${id} to be ${state}`, timeoutMs: 30_000 },
  );

describe('querying jobs', () => {
  it('lists all pending fulfillment jobs for the orders service', async () => {
    const { client } = system;
    const ref = await orders.jobs['reserve-inventory'].create({ sku: 'A-1' });
    // Jobs.Get can read a job from the stream before it is projected; Jobs.List reads only the projection.
    await system.projected();
    const printed: unknown[][] = [];
    const print = (...values: unknown[]) => printed.push(values);

    const pending = await client.rpc.jobs.list({
      service: 'orders-service',
      type: 'reserve-inventory',
      state: ['pending'],
      limit: 50,
    });
    for (const job of pending.entries) {
      print(job.id, job.state);
    }

    expect(printed).toEqual([[ref.id, 'pending']]);
  });

  it('gets a specific job', async () => {
    const { client } = system;
    const { id: job_abc123 } = await orders.jobs['reserve-inventory'].create({ sku: 'A-2' });

    const job = await client.rpc.jobs.get({
      id: job_abc123,
    });

    expect([job.context.requestId, job.context.traceId]).toEqual([
      expect.stringMatching(/^.+$/),
      expect.stringMatching(/^[0-9a-f]{32}$/),
    ]);
    expect(job.context.traceparent).toContain(job.context.traceId);
  });
});

it('inspects a key of keyed concurrency: holders, waiting jobs, age of the heartbeat', async () => {
  const { client } = system;
  const first = await zendesk.jobs['sync-tickets'].create({ origin: 'foo' });
  await reach(first.id, 'active');
  const second = await zendesk.jobs['sync-tickets'].create({ origin: 'foo' });

  const key = await client.rpc.jobs.getKey({
    service: 'zendesk-sync',
    type: 'sync-tickets',
    key: 'zendesk:foo:tickets',
  });

  expect(key.active).toMatchObject([{ jobId: first.id, stale: false }]);
  expect(key.queued).toMatchObject([{ jobId: second.id }]);
  expect(key.heartbeatAgeMs).toBeGreaterThanOrEqual(0);
  expect(key).toMatchObject({ queuedDepth: 1, staleTakeoverCount: 0 });
  const { code, stdout } = await trellis('key', 'zendesk-sync', 'sync-tickets', 'zendesk:foo:tickets');
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`HELD BY[\\s\\S]*${first.id}[\\s\\S]*WAITING[\\s\\S]*${second.id}`));
});

describe('cancelling a job', () => {
  it('transitions a pending one immediately', async () => {
    const { client } = system;
    const { id: job_abc123 } = await orders.jobs['reserve-inventory'].create({ sku: 'A-3' });

    const reply = await client.rpc.jobs.cancel({
      id: job_abc123,
    });

    expect(reply.job.state).toBe('cancelled');
  });

  it('transitions one in retry immediately', async () => {
    const { client } = system;
    const { id } = await orders.jobs['charge-payment'].create({ mode: 'decline' });
    await reach(id, 'retry');
    expect((await client.rpc.jobs.cancel({ id })).job.state).toBe('cancelled');
  });

  it('is cooperative and eventual for an active one', async () => {
    const { client } = system;
    const { id } = await orders.jobs['charge-payment'].create({ mode: 'wait' });
    await reach(id, 'active');
    expect((await client.rpc.jobs.cancel({ id })).job).toHaveProperty('cancelRequestedAt');
    await reach(id, 'cancelled');
  });
});

describe('failed and dead jobs', () => {
  it('retries a failed one, which runs again', async () => {
    const { client } = system;
    const { id: job_abc123 } = await orders.jobs['notify-warehouse'].create({ mode: 'fail' });
    await reach(job_abc123, 'failed');
    fixed = true;

    await client.rpc.jobs.retry({
      id: job_abc123,
    });

    await reach(job_abc123, 'completed');
    expect(runs.filter((id) => id === job_abc123)).toHaveLength(2);
    fixed = false;
  });

  it('replays a dead one, which runs again', async () => {
    const { client } = system;
    const { id: job_abc123 } = await orders.jobs['notify-warehouse'].create({ mode: 'decline' });
    await reach(job_abc123, 'dead');
    fixed = true;

    await client.rpc.jobs.replayDLQ({
      id: job_abc123,
    });

    await reach(job_abc123, 'completed');
    expect(runs.filter((id) => id === job_abc123)).toHaveLength(2);
    fixed = false;
  });

  it('replays a dead one whose deadline has passed with a new deadline: it runs although the janitor is active', async () => {
    const { client, stream } = system;
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
    const late = { payload: { mode: 'decline' }, timestamp: minutesAgo(10), deadline: minutesAgo(5) };
    const [replayed, waiting] = [ulid(), ulid()];
    await system.publish(replayed, 'created', { ...late, jobType: 'notify-warehouse', state: 'pending', maxTries: 1 });
    await reach(replayed, 'dead');
    system.start('janitor', { JANITOR_INTERVAL_MS: '20' });
    await system.publish(waiting, 'created', { ...late, state: 'pending' });
    await reach(waiting, 'expired');
    fixed = true;

    await client.rpc.jobs.replayDLQ({ id: replayed });

    await reach(replayed, 'completed');
    expect(runs.filter((id) => id === replayed)).toHaveLength(2);
    const { events } = await stream.readJob(replayed);
    expect(events.map(({ event }) => event.eventType)).not.toContain('expired');
    fixed = false;
  });

  it('dismisses a dead one, which is not run again', async () => {
    const { client } = system;
    const { id: job_abc123 } = await orders.jobs['notify-warehouse'].create({ mode: 'decline' });
    await reach(job_abc123, 'dead');

    await client.rpc.jobs.dismissDLQ({
      id: job_abc123,
    });

    await reach(job_abc123, 'dismissed');
    expect(runs.filter((id) => id === job_abc123)).toHaveLength(1);
  });
});

const trellis = (...args: string[]) => runCli(['jobs', ...args, '--nats', system.nats.url]);

describe('worker presence', () => {
  it('shows the workers of a service with their jobs, and the services with their health', async () => {
    const { id } = await orders.jobs['charge-payment'].create({ mode: 'wait' });
    const shown = await waitFor(
      async () => {
        const { stdout } = await trellis('workers', '--service', 'orders-service');
        return stdout.includes(id) && stdout;
      },
      { what: 'the worker and its job to be shown', timeoutMs: 30_000, everyMs: 250 },
    );
    expect(shown).toMatch(/^SERVICE +TYPE +INSTANCE +STATUS +LAST SEEN +CONCURRENCY +VERSION +WORKING ON$/m);
    expect(shown).toMatch(
      new RegExp(`^orders-service +charge-payment +${orders.instanceId} +live +.+ 5 +4\\.2\\.0 +${id}`, 'm'),
    );
    expect(shown).not.toContain('zendesk-sync');
    const { stdout } = await trellis('services');
    expect(stdout).toMatch(/^orders-service +healthy +2 +0 +0 /m);
    const inJson = JSON.parse((await trellis('workers', '--type', 'sync-tickets', '--json')).stdout);
    expect(inJson.workers).toMatchObject([{ service: 'zendesk-sync', jobType: 'sync-tickets', status: 'live' }]);
  });

  it('keeps presence fresh in the health report', async () => {
    const health = await waitFor(
      async () => {
        const { checks } = await system.client.rpc.jobs.health();
        return checks.find(({ name, status }) => name === 'presence' && status === 'healthy');
      },
      { what: 'presence to be healthy', timeoutMs: 30_000 },
    );
    expect(health).toMatchObject({ ageMs: expect.any(Number) });
  });
});
