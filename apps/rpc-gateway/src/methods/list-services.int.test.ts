// Jobs.ListServices, and what presence says about jobs.
import { ListServicesReply } from '@trellis/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';
import { writePresenceHeartbeat, writeWorkers } from '../testing/presence-rows.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway({ natsConfig: 'max_payload: 65536' });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const services = async (limit = 1_000, offset = 0) =>
  ListServicesReply.parse(await gateway.client.rpc.jobs.listServices({ limit, offset }));
const service = async (name: string) => (await services()).entries.find((entry) => entry.name === name);

describe('Jobs.ListServices', () => {
  it('shows each worker as its last heartbeat, live ones first, and a service with a live one as healthy', async () => {
    await writeWorkers(gateway.postgres, [
      { service: 'mixed', instanceId: 'gone-1', status: 'gone', lastSeenMsAgo: 60_000 },
      { service: 'mixed', instanceId: 'live-1', type: 'charge', lastSeenMsAgo: 500, activeJobs: ['a', 'b'] },
      { service: 'mixed', instanceId: 'late-1', status: 'late', lastSeenMsAgo: 5_000 },
    ]);
    const entry = await service('mixed');
    expect(entry).toMatchObject({ healthy: true, workerCounts: { live: 1, late: 1, gone: 1 }, openJobs: 0 });
    expect(entry?.workers.map(({ instanceId }) => instanceId)).toEqual(['live-1', 'late-1', 'gone-1']);
    expect(entry?.workers[0]).toEqual({
      service: 'mixed',
      jobType: 'charge',
      instanceId: 'live-1',
      timestamp: expect.any(String),
      status: 'live',
      firstSeenAt: expect.any(String),
      heartbeatIntervalMs: 1_000,
      concurrency: 4,
      version: '1.2.3',
      activeJobs: ['a', 'b'],
      activeJobCount: 2,
    });
    expect(entry?.lastSeenAt).toBe(entry?.workers[0]?.timestamp);
  });

  it('keeps a service whose workers are all late or gone in the list, unhealthy, with when it was last seen', async () => {
    await writeWorkers(gateway.postgres, [
      { service: 'vanished', instanceId: 'w-1', status: 'gone', lastSeenMsAgo: 90_000 },
      { service: 'vanished', instanceId: 'w-2', status: 'late', lastSeenMsAgo: 30_000 },
    ]);
    const entry = await service('vanished');
    expect(entry).toMatchObject({ healthy: false, workerCounts: { live: 0, late: 1, gone: 1 } });
    expect(entry?.workers.map(({ instanceId }) => instanceId)).toEqual(['w-2', 'w-1']);
    expect(Date.now() - Date.parse(String(entry?.lastSeenAt))).toBeGreaterThanOrEqual(29_000);
    await gateway.postgres.query(`delete from workers where service = 'vanished'`);
    expect(await service('vanished')).toBeUndefined();
  });

  it('lists a service that never had a worker, unhealthy, for as long as its jobs wait for one', async () => {
    const job = newJob('no-workers');
    await gateway.publish(job, 'created');
    await gateway.projected();
    expect(await service('no-workers')).toEqual({
      name: 'no-workers',
      healthy: false,
      openJobs: 1,
      workerCounts: { live: 0, late: 0, gone: 0 },
      workers: [],
    });
    await gateway.publish(job, 'cancelled', { state: 'cancelled' });
    await gateway.projected();
    expect(await service('no-workers')).toBeUndefined();
  });

  it('pages by name and counts all', async () => {
    const names = ['page-a', 'page-b', 'page-c'];
    await writeWorkers(
      gateway.postgres,
      names.map((name) => ({ service: name, instanceId: 'w' })),
    );
    const all = await services();
    expect(all.count).toBe(all.entries.length);
    expect(all.nextOffset).toBeUndefined();
    const paged: string[] = [];
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      const page: ListServicesReply = await services(2, offset);
      expect([page.offset, page.limit, page.count]).toEqual([offset, 2, all.count]);
      paged.push(...page.entries.map(({ name }) => name));
      offset = page.nextOffset;
    }
    expect(paged).toEqual(all.entries.map(({ name }) => name));
    expect(paged).toEqual(expect.arrayContaining(names));
    expect(await services(2, 10_000)).toMatchObject({ entries: [], count: all.count });
  });

  it('says as of when presence is right', async () => {
    await writePresenceHeartbeat(gateway.postgres, 5_000);
    expect(Date.now() - Date.parse(String((await services()).presenceAsOf))).toBeGreaterThanOrEqual(4_900);
  });

  it('fits into a message, whatever workers say of themselves', async () => {
    const activeJobs = Array.from({ length: 1_000 }, (_, i) => `job-${i}-${'x'.repeat(50)}`);
    const many = Array.from({ length: 300 }, (_, i) => ({ service: 'a-crowd', instanceId: `worker-${i}`, activeJobs }));
    await writeWorkers(gateway.postgres, many);
    const page = await services();
    expect(page.entries[0]).toMatchObject({ name: 'a-crowd', workerCounts: { live: 300 } });
    expect(page.entries[0]?.workers.length).toBeGreaterThan(100);
    expect(page.nextOffset).toBe(page.entries.length);
    expect((await services(1_000, page.nextOffset)).entries[0]?.name).toBe('mixed');
  });
});

describe('workerLost', () => {
  it('is said of active jobs whose worker is gone, and of no others', async () => {
    await writeWorkers(gateway.postgres, [
      { service: 'orders-service', instanceId: 'lost', status: 'gone' },
      { service: 'orders-service', instanceId: 'here', status: 'late' },
    ]);
    const started = async (instanceId: string, ended = false) => {
      const job = newJob();
      await gateway.publish(job, 'created');
      await gateway.publish(job, 'started', { instanceId });
      if (ended) await gateway.publish(job, 'completed', { state: 'completed', instanceId });
      return job.id;
    };
    const [lost, here, unknown, ended] = [
      await started('lost'),
      await started('here'),
      await started('never-heard-of'),
      await started('lost', true),
    ];
    await gateway.projected();
    const { entries } = await gateway.client.rpc.jobs.list({ service: 'orders-service', limit: 10 });
    const marked = Object.fromEntries(entries.map((job) => [job.id, job.workerLost]));
    expect(marked).toEqual({ [lost]: true, [here]: undefined, [unknown]: undefined, [ended]: undefined });
    expect((await gateway.client.rpc.jobs.get({ id: lost })).workerLost).toBe(true);
    expect(await gateway.client.rpc.jobs.get({ id: here })).not.toHaveProperty('workerLost');
  });
});
