// Many operators who press Retry or Replay at the same moment, with the real projector and a real worker.

import { silentLogger } from '@trellis/async';
import { createService, queue } from '@trellis/jobs';
import { waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';

let gateway: GatewayFixture;
let orders: Awaited<ReturnType<typeof startOrders>>;
let providerWorks = false;
/** Ids of the jobs, one for each time that a handler ran. */
const runs: string[] = [];
beforeAll(async () => {
  gateway = await startGateway({ realProjector: true, settings: { projectionWaitMs: 20_000 } });
  orders = await startOrders();
}, 90_000);
afterAll(async () => {
  await orders.stop();
  await gateway[Symbol.asyncDispose]();
});

async function startOrders() {
  const payload = z.object({ amount: z.number() });
  const service = await createService({
    name: 'orders-service',
    nats: await gateway.nats.connect(),
    log: silentLogger(),
    queues: {
      charge: queue({ payload, maxDeliver: 2, backoffMs: [1] }),
      refund: queue({ payload, maxDeliver: 1, dlq: false }),
      // Its place is gone with its first run: it must be admitted again.
      keyed: queue({ payload, maxDeliver: 1, keyConcurrency: { key: ['amount', '/amount'], heartbeatTtlMs: 5_000 } }),
    },
  });
  for (const queueName of ['charge', 'refund', 'keyed'] as const) {
    await service.jobs[queueName].handle(async (job) => {
      runs.push(job.id);
      if (!providerWorks) throw new Error('the provider is down');
    });
  }
  return service;
}

const jobs = () => gateway.client.rpc.jobs;
const runsOf = (id: string) => runs.filter((run) => run === id).length;
const replay = (id: string) => jobs().replayDLQ({ id });
const retry = (id: string) => jobs().retry({ id });

it.for([
  { name: 'ReplayDLQ', from: 'dead', queueName: 'charge', attempts: 2, call: replay },
  { name: 'ReplayDLQ', from: 'dead', queueName: 'keyed', attempts: 1, call: replay },
  { name: 'Retry', from: 'failed', queueName: 'refund', attempts: 1, call: retry },
] as const)(
  'a hundred $name at once of a $from job ($queueName) are one `retried` event and one more run, which completes and leaves no work behind',
  async ({ from, queueName, attempts, call }) => {
    providerWorks = false;
    const { id } = await orders.jobs[queueName].create({ amount: 7 });
    const inRow = (state: string) => async () => (await gateway.reader.getJob(id))?.state === state;
    await waitFor(inRow(from), { what: `the row to be ${from}`, timeoutMs: 30_000 });
    expect(runsOf(id)).toBe(attempts);
    providerWorks = true;

    const results = await Promise.allSettled(Array.from({ length: 100 }, () => call(id)));

    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    for (const result of results) {
      if (result.status === 'fulfilled') expect(result.value.job.id).toBe(id);
      else expect(result.reason).toMatchObject({ code: 'state-conflict' });
    }
    await waitFor(inRow('completed'), { what: 'the row to be completed', timeoutMs: 30_000 });
    await waitFor(async () => (await gateway.stream.jsm.streams.info('JOBS_WORK')).state.messages === 0, {
      what: 'an empty work queue',
    });
    const { events } = await gateway.stream.readJob(id);
    expect(events.filter(({ event }) => event.eventType === 'retried')).toHaveLength(1);
    expect(runsOf(id)).toBe(attempts + 1);
  },
);
