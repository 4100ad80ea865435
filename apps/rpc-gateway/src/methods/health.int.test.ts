import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Kvm } from '@nats-io/kv';
import { encodePipelineRecord, type HealthCheck, NOTHING_WRITTEN, PIPELINE_RECORD_KEY } from '@trellis/contracts';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { healthProbes } from '../health/health-probes.ts';
import { type GatewayFixture, startGateway } from '../testing/gateway-fixture.ts';
import { newJob } from '../testing/job-events.ts';
import { writeJanitorPass, writePresenceHeartbeat } from '../testing/presence-rows.ts';

let gateway: GatewayFixture;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const find = (checks: HealthCheck[], name: string) => checks.find((check) => check.name === name);
const probes = (more: Partial<Parameters<typeof healthProbes>[0]> = {}) =>
  healthProbes({
    reader: gateway.reader,
    stream: gateway.stream,
    pipelinesBucket: 'JOBS_PIPELINES',
    degradedLagMs: 15_000,
    quarantineRecentMs: 60_000,
    presenceFreshMs: 15_000,
    janitorOverdueMs: 60_000,
    ...more,
  });

describe('Jobs.Health', () => {
  it('is healthy when every part works, and says how each does', async () => {
    await gateway.jobIn('completed');
    await writePresenceHeartbeat(gateway.postgres);
    await writeJanitorPass(gateway.postgres, { duty: 'expire-deadlines' });
    const health = await gateway.client.rpc.jobs.health();
    expect(health).toMatchObject({ service: 'trellis-jobs', status: 'healthy', timestamp: expect.any(String) });
    expect(health.checks.map((check) => check.name)).toEqual([
      'nats',
      'postgres',
      'pipeline-current',
      'janitor',
      'presence',
      'quarantine',
    ]);
    expect(find(health.checks, 'janitor')).toMatchObject({ status: 'healthy', lastPassAt: expect.any(String) });
    expect(find(health.checks, 'presence')).toMatchObject({ status: 'healthy', ageMs: expect.any(Number) });
    expect(find(health.checks, 'nats')).toMatchObject({ status: 'healthy', latencyMs: expect.any(Number) });
    expect(find(health.checks, 'postgres')).toMatchObject({ status: 'healthy', latencyMs: expect.any(Number) });
    expect(find(health.checks, 'pipeline-current')).toMatchObject({ status: 'healthy', lagEvents: 0, lagSeconds: 0 });
  });

  it('is degraded when the projection is further behind than allowed, and healthy again when it has caught up', async () => {
    gateway.projection.hold();
    const job = newJob();
    await gateway.publish(job, 'created');
    await gateway.publish(job, 'started');
    const strict = probes({ degradedLagMs: 0 });
    const behind = await waitFor(
      async () => {
        const check = find(await strict.check(), 'pipeline-current');
        return check?.status === 'degraded' ? check : undefined;
      },
      { what: 'the lag to be seen' },
    );
    expect(behind).toMatchObject({ lagEvents: 2, message: 'is behind the stream' });
    // A lag that is young is none to worry about.
    expect(find(await probes({ degradedLagMs: 3_600_000 }).check(), 'pipeline-current')).toMatchObject({
      status: 'healthy',
      lagEvents: 2,
    });
    gateway.projection.resume();
    await gateway.projected();
    expect(find(await strict.check(), 'pipeline-current')).toMatchObject({ status: 'healthy', lagEvents: 0 });
  });

  it('is degraded when nobody runs the projection', async () => {
    await gateway.postgres.query(`update pipelines set lease_until = now() - interval '1 second'`);
    expect(find(await probes().check(), 'pipeline-current')).toMatchObject({
      status: 'degraded',
      message: 'nobody runs it now',
    });
    await gateway.postgres.query(`update pipelines set lease_until = now() + interval '1 day'`);
  });

  it('is degraded by messages that were quarantined lately', async () => {
    await gateway.postgres.query(
      `insert into quarantine (stream_created, sequence, stored_at, subject, code, reason, body) values (now(), 1, now(), 's', 'not-json', 'r', '')`,
    );
    expect(find(await probes().check(), 'quarantine')).toMatchObject({ status: 'degraded', size: 1, recent: 1 });
    await gateway.postgres.query(`update quarantine set quarantined_at = now() - interval '1 hour'`);
    expect(find(await probes().check(), 'quarantine')).toMatchObject({ status: 'healthy', size: 1, recent: 0 });
    await gateway.postgres.query('delete from quarantine');
  });

  it('is degraded by presence that nobody keeps, or that is old', async () => {
    const presence = async () => find(await probes().check(), 'presence');
    await gateway.postgres.query(`delete from pipelines where name = 'presence'`);
    expect(await presence()).toMatchObject({ status: 'degraded', message: 'has not run yet' });
    await writePresenceHeartbeat(gateway.postgres, 0, -1_000);
    expect(await presence()).toMatchObject({ status: 'degraded', message: 'nobody keeps it now' });
    await writePresenceHeartbeat(gateway.postgres, 20_000);
    expect(await presence()).toMatchObject({ status: 'degraded', message: 'is not up to date' });
    await writePresenceHeartbeat(gateway.postgres);
    expect(await presence()).toMatchObject({ status: 'healthy' });
  });

  it('is degraded by a janitor that does not run, fails, or has found something', async () => {
    const janitor = async () => find(await probes().check(), 'janitor');
    const { postgres } = gateway;
    await postgres.query('delete from janitor_passes');
    expect(await janitor()).toMatchObject({ status: 'degraded', message: 'has not run yet' });
    await writeJanitorPass(postgres, { duty: 'expire-deadlines' });
    await writeJanitorPass(postgres, { duty: 'retention', dueMsAgo: 120_000 });
    expect(await janitor()).toMatchObject({ status: 'degraded', message: 'nobody does retention, due for 120 s' });
    await writeJanitorPass(postgres, { duty: 'retention', error: 'select secret from nowhere' });
    const failed = await janitor();
    expect(failed).toMatchObject({ status: 'degraded', message: 'the last pass of retention failed' });
    expect(JSON.stringify(failed)).not.toContain('secret');
    const problem = { code: 'lost-job', message: 'job x is active, and nobody works on it' };
    await writeJanitorPass(postgres, { duty: 'retention', problems: [problem] });
    expect(await janitor()).toMatchObject({
      status: 'degraded',
      message: 'retention: job x is active, and nobody works on it',
      problems: [{ duty: 'retention', ...problem }],
    });
    await writeJanitorPass(postgres, { duty: 'retention' });
    expect(await janitor()).toMatchObject({ status: 'healthy', duties: 2 });
  });

  it('is unhealthy without Postgres, and shows nothing of how to reach it', async () => {
    await using other = await startGateway({ readerUrl: 'postgres://somebody:hunter2@127.0.0.1:1/jobs' });
    const health = await other.client.rpc.jobs.health();
    expect(health.status).toBe('unhealthy');
    expect(find(health.checks, 'postgres')).toMatchObject({
      status: 'unhealthy',
      message: 'the job store cannot be reached',
    });
    expect(JSON.stringify(health)).not.toMatch(/somebody|hunter2|127\.0\.0\.1/);
  });

  it('says within its time that NATS does not answer', async () => {
    await using nats = await startTestNats();
    const { JobStream, provision } = await import('@trellis/nats');
    const nc = await nats.connect();
    await provision(nc);
    const stream = await JobStream.open(nc);
    await nats.kill();
    const checks = await probes({ stream, timeoutMs: 300 }).check();
    expect(find(checks, 'nats')).toMatchObject({ status: 'unhealthy' });
    expect(find(checks, 'postgres')).toMatchObject({ status: 'healthy' });
  });

  describe('with ClickHouse', () => {
    it('checks that it answers, and is only degraded when it does not', async () => {
      const server = createServer((request, response) =>
        response.writeHead(request.url === '/ping' ? 200 : 500).end('Ok.\n'),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const clickhouseUrl = `http://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}/jobs`;
      expect(find(await probes({ clickhouseUrl }).check(), 'clickhouse')).toMatchObject({ status: 'healthy' });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      const gone = find(await probes({ clickhouseUrl }).check(), 'clickhouse');
      expect(gone).toMatchObject({ status: 'degraded', message: 'does not answer' });
      expect(JSON.stringify(gone)).not.toContain('hunter2');
    });

    it('says how far the history is, from its own record', async () => {
      // A record of its own: the other tests are about a system without history.
      const own = { clickhouseUrl: 'http://127.0.0.1:1', pipelinesBucket: 'OTHER_PIPELINES' };
      expect(find(await probes(own).check(), 'pipeline-history')).toMatchObject({
        status: 'degraded',
        message: 'has not run yet',
      });
      const { lastSequence } = await gateway.stream.info();
      const bucket = await new Kvm(gateway.nc).create(own.pipelinesBucket, { history: 1 });
      const record = (position: number, leaseUntil: number) => {
        const lease = new Date(leaseUntil).toISOString();
        const record = {
          owner: 'x',
          epoch: 1,
          leaseUntil: lease,
          streamCreated: '',
          generation: 1,
          position,
          written: NOTHING_WRITTEN,
          intent: null,
          more: {},
        };
        return bucket.put(PIPELINE_RECORD_KEY, encodePipelineRecord(record));
      };
      await record(lastSequence, Date.now() + 60_000);
      expect(find(await probes(own).check(), 'pipeline-history')).toMatchObject({
        status: 'healthy',
        lagEvents: 0,
      });
      await record(lastSequence - 1, Date.now() + 60_000);
      const behind = find(await probes({ ...own, degradedLagMs: 0 }).check(), 'pipeline-history');
      expect(behind).toMatchObject({ lagEvents: 1 });
      await record(lastSequence, Date.now() - 1);
      expect(find(await probes(own).check(), 'pipeline-history')).toMatchObject({
        status: 'degraded',
        message: 'nobody runs it now',
      });
      await bucket.put('history', '{"other": "version"}');
      expect(find(await probes(own).check(), 'pipeline-history')).toMatchObject({
        status: 'degraded',
        message: 'its record cannot be read',
      });
    });
  });
});
