import type { NatsConnection } from '@nats-io/transport-node';
import { type Loop, loop, silentLogger, sleep } from '@trellis/async';
import { heartbeatSubject, type WorkerHeartbeat } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { migratePostgres, openPostgres, type Postgres, PresenceStore } from '@trellis/store-postgres';
import { type FreshPostgres, freshPostgres, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type KeepOptions, keepPresence } from './keep-presence.ts';
import { newCounts, type PresenceCounts } from './presence-counts.ts';

let nats: TestNats;
let nc: NatsConnection;
let database: FreshPostgres;
let postgres: Postgres;
let stopping: AbortController;
let running: Promise<void>[];
beforeEach(async () => {
  [nats, database] = await Promise.all([startTestNats(), freshPostgres()]);
  postgres = openPostgres({ url: database.url });
  await migratePostgres(postgres);
  nc = await nats.connect();
  await provision(nc);
  stopping = new AbortController();
  running = [];
});
afterEach(async () => {
  stopping.abort();
  await Promise.all(running);
  await postgres.close();
  await Promise.all([nats.stop(), database[Symbol.asyncDispose]()]);
});

interface Aggregator {
  counts: PresenceCounts;
  loop: Loop;
  postgres: Postgres;
  stop(): Promise<void>;
}

async function startAggregator(
  instanceId = 'aggregator-1',
  {
    settings = {},
    takeOver = true,
    store = postgres,
  }: { settings?: Partial<KeepOptions['settings']>; takeOver?: boolean; store?: Postgres } = {},
): Promise<Aggregator> {
  const stream = await JobStream.open(await nats.connect());
  const stop = new AbortController();
  const counts = newCounts();
  const options: KeepOptions = {
    stream,
    store: new PresenceStore(store, { leaseMs: 10_000 }),
    settings: {
      instanceId,
      presenceFlushMs: 50,
      presenceLeaseMs: 10_000,
      presenceRetention: 86_400_000,
      presenceIntervalMs: 10_000,
      ...settings,
    },
    signal: AbortSignal.any([stopping.signal, stop.signal]),
    log: silentLogger(),
    counts,
    takeOver,
    settled: () => {},
  };
  let first = takeOver;
  const keeping = loop('presence', {
    signal: options.signal,
    log: options.log,
    run: (signal) => {
      const run = keepPresence({ ...options, signal, takeOver: first });
      first = false;
      return run;
    },
  });
  running.push(keeping.done);
  return {
    counts,
    loop: keeping,
    postgres: store,
    stop: async () => {
      stop.abort();
      await keeping.done;
    },
  };
}

function beat(instanceId: string, fields: Partial<WorkerHeartbeat> = {}): void {
  const { service = 'orders-service', jobType = 'charge' } = fields;
  const body = { service, jobType, instanceId, timestamp: new Date().toISOString(), ...fields };
  nc.publish(heartbeatSubject(service, jobType, instanceId), JSON.stringify(body));
}

/** Heartbeats until the test ends, or the signal aborts. */
function beatEvery(ms: number, instanceIds: string[], signal: AbortSignal = stopping.signal): void {
  const beating = loop('worker', {
    signal,
    log: silentLogger(),
    run: async () => {
      for (const instanceId of instanceIds) beat(instanceId);
      await sleep(ms, signal);
    },
  });
  running.push(beating.done);
}

type WorkerRow = Record<string, unknown>;
const workers = async (): Promise<WorkerRow[]> =>
  (await postgres.query<WorkerRow>('select * from workers order by instance_id')).rows;
const statuses = async () => Object.fromEntries((await workers()).map((row) => [row.instance_id, row.status]));
const presenceRow = async () =>
  (await postgres.query<WorkerRow>(`select * from pipelines where name = 'presence'`)).rows[0];

describe('presence', () => {
  it('shows each worker with what it can do and the jobs that it holds now', async () => {
    await startAggregator();
    beat('a', { concurrency: 4, version: '1.2.3', activeJobs: ['j1', 'j2'] });
    beat('b', { service: 'billing', jobType: 'invoice' });
    await waitFor(async () => (await workers()).length === 2, { what: 'both workers' });
    expect(await workers()).toMatchObject([
      {
        service: 'orders-service',
        type: 'charge',
        instance_id: 'a',
        status: 'live',
        concurrency: 4,
        version: '1.2.3',
        active_jobs: ['j1', 'j2'],
        active_job_count: 2,
      },
      { service: 'billing', type: 'invoice', instance_id: 'b', status: 'live', active_jobs: null },
    ]);
    beat('a', { concurrency: 4, version: '1.2.3', activeJobs: [] });
    await waitFor(async () => (await workers())[0]?.active_job_count === 0, { what: 'the jobs to be done' });
  });

  it('calls a silent worker late, then gone, keeps it until the retention is over, and then forgets it', async () => {
    const quiet = new AbortController();
    beatEvery(100, ['a'], quiet.signal);
    beatEvery(100, ['b']);
    const first = await startAggregator('aggregator-1', { settings: { presenceIntervalMs: 100 } });
    await waitFor(async () => Object.keys(await statuses()).length === 2, { what: 'both workers' });
    quiet.abort();
    const seen = new Set<unknown>();
    await waitFor(
      async () => {
        const { a } = await statuses();
        seen.add(a);
        return a === 'gone';
      },
      { what: 'the silent worker to be gone' },
    );
    expect([...seen].filter((status) => status !== 'live')).toEqual(['late', 'gone']);
    expect(await statuses()).toEqual({ a: 'gone', b: 'live' });
    const [gone] = await workers();
    expect(String(gone?.last_seen_at) < String((await presenceRow())?.position_stored_at)).toBe(true);

    await first.stop();
    await startAggregator('aggregator-2', { settings: { presenceIntervalMs: 100, presenceRetention: 1_000 } });
    await waitFor(async () => !('a' in (await statuses())), { what: 'the worker to be forgotten' });
    expect(await statuses()).toEqual({ b: 'live' });
  });

  it('is complete with the first write after a restart', async () => {
    const ids = Array.from({ length: 500 }, (_, index) => `w${String(index).padStart(4, '0')}`);
    for (const id of ids) beat(id);
    const { jsm, names } = await JobStream.open(nc);
    const stored = async () => (await jsm.streams.info(names.presence)).state.messages;
    await waitFor(async () => (await stored()) === ids.length, { what: 'the heartbeats to be stored' });
    const { counts } = await startAggregator();
    await waitFor(() => counts.flushes >= 1, { what: 'the first write' });
    const rows = await workers();
    expect(rows.map((row) => row.instance_id)).toEqual(ids);
    expect(new Set(rows.map((row) => row.status))).toEqual(new Set(['live']));
    // Nothing new, nothing written; yet it says up to when it is right.
    const before = (await presenceRow())?.position_stored_at;
    await waitFor(async () => String((await presenceRow())?.position_stored_at) > String(before), {
      what: 'time to go on',
    });
    expect(counts.rows).toBe(500);
  });

  it('costs a bounded number of statements, whatever comes in', async () => {
    const query = vi.spyOn(postgres, 'query');
    const { counts } = await startAggregator('aggregator-1', { settings: { presenceFlushMs: 200 } });
    const ids = Array.from({ length: 2_000 }, (_, index) => `w${index}`);
    for (let round = 0; round <= 8; round++) {
      for (const id of ids) beat(id, { version: `round ${round}` });
      await nc.flush();
    }
    await waitFor(async () => (await workers()).filter((row) => row.version === 'round 8').length === 2_000, {
      timeoutMs: 30_000,
      what: 'the last heartbeat of everybody',
    });
    const texts = query.mock.calls.map(([sql]) => (typeof sql === 'string' ? sql : sql.text));
    const writes = texts.filter((text) => text.includes('insert into workers'));
    expect(Math.abs(writes.length - counts.flushes)).toBeLessThanOrEqual(1);
    const deletes = texts.filter((text) => text.includes('delete from workers'));
    expect(deletes).toHaveLength(1);
    expect(counts.rows).toBeLessThanOrEqual(2_000 * counts.flushes);
    expect(counts.rows).toBeGreaterThanOrEqual(2_000);
  });

  it('counts and passes over what is no heartbeat of the worker that it names', async () => {
    const { counts } = await startAggregator();
    nc.publish(heartbeatSubject('orders-service', 'charge', 'broken'), '{not json');
    nc.publish(heartbeatSubject('orders-service', 'charge', 'empty'), '{}');
    nc.publish(
      heartbeatSubject('orders-service', 'charge', 'liar'),
      JSON.stringify({
        service: 'orders-service',
        jobType: 'charge',
        instanceId: 'somebody-else',
        timestamp: new Date().toISOString(),
      }),
    );
    beat('honest', { version: 'a\u0000b' });
    await waitFor(async () => (await workers()).length > 0, { what: 'the honest worker' });
    expect(await statuses()).toEqual({ honest: 'live' });
    expect(counts).toMatchObject({ malformed: 2, mismatched: 1, heartbeats: 1 });
  });

  it('survives a server that was killed and has forgotten everything, and blames no worker for it', async () => {
    beatEvery(50, ['a', 'b']);
    const { counts } = await startAggregator('aggregator-1', { settings: { presenceIntervalMs: 100 } });
    await waitFor(async () => Object.keys(await statuses()).length === 2, { what: 'both workers' });
    const seen = new Set<unknown>();
    await nats.kill();
    await nats.restart();
    const { heartbeats } = counts;
    const restarted = new Date().toISOString();
    await waitFor(
      async () => {
        for (const status of Object.values(await statuses())) seen.add(status);
        return (await workers()).every((row) => String(row.last_seen_at) > restarted);
      },
      { timeoutMs: 20_000, what: 'both workers to be heard again' },
    );
    expect(counts.heartbeats).toBeGreaterThan(heartbeats);
    expect(seen).not.toContain('gone');
  });

  it('goes on when its stream was made anew', async () => {
    await startAggregator();
    beat('a');
    await waitFor(async () => 'a' in (await statuses()), { what: 'the first worker' });
    const stream = await JobStream.open(nc);
    await stream.jsm.streams.delete('JOBS_PRESENCE');
    await provision(nc);
    beatEvery(100, ['b']);
    await waitFor(async () => 'b' in (await statuses()), { timeoutMs: 20_000, what: 'the worker of the new stream' });
  });

  it('is read from the jobs stream where that still stores heartbeats, passing over what is long forgotten', async () => {
    const stream = await JobStream.open(nc);
    for (const name of ['JOBS_WORK', 'JOBS_PRESENCE', 'JOBS']) await stream.jsm.streams.delete(name);
    await stream.jsm.streams.add({ name: 'JOBS', subjects: ['trellis.jobs.>'], allow_direct: true });
    beat('old');
    await nc.flush();
    const { counts } = await startAggregator('aggregator-1', { settings: { presenceRetention: 86_400_000 } });
    await waitFor(async () => 'old' in (await statuses()), { what: 'the stored heartbeat' });
    nc.publish('trellis.jobs.orders-service.charge.j1.created', '{}');
    beat('new');
    await waitFor(async () => 'new' in (await statuses()), { what: 'the live heartbeat' });
    expect(counts).toMatchObject({ heartbeats: 2, malformed: 0 });
  });

  it('is written by one of two aggregators; the other takes over when it stops', async () => {
    const first = await startAggregator('aggregator-1');
    beatEvery(50, ['a']);
    await waitFor(() => first.counts.rows > 0, { what: 'the first to write' });
    const second = await startAggregator('aggregator-2', { takeOver: false, settings: { presenceLeaseMs: 500 } });
    const { flushes } = first.counts;
    await waitFor(() => first.counts.flushes >= flushes + 5, { what: 'the first to go on' });
    expect(second.counts.flushes).toBe(0);
    await first.stop();
    await waitFor(() => second.counts.rows > 0, { what: 'the second to write' });
    expect(await presenceRow()).toMatchObject({ owner: 'aggregator-2' });
  });

  it('is taken over at once by a process that starts, and the former owner writes no more', async () => {
    const first = await startAggregator('aggregator-1');
    beatEvery(50, ['a']);
    await waitFor(() => first.counts.rows > 0, { what: 'the first to write' });
    const second = await startAggregator('aggregator-2');
    await waitFor(() => second.counts.rows > 0, { what: 'the second to write' });
    const { flushes } = first.counts;
    const { flushes: reached } = second.counts;
    await waitFor(() => second.counts.flushes >= reached + 5, { what: 'the second to go on' });
    expect(first.counts.flushes - flushes).toBeLessThanOrEqual(1);
    expect(await presenceRow()).toMatchObject({ owner: 'aggregator-2' });
  });

  it('goes on where it was after the database was away', async () => {
    const { counts } = await startAggregator();
    beat('a');
    await waitFor(async () => 'a' in (await statuses()), { what: 'the first worker' });
    const away = vi.spyOn(postgres, 'query').mockRejectedValue(new Error('connection refused'));
    await waitFor(() => away.mock.calls.length >= 2, { what: 'some tries in vain' });
    beat('b');
    away.mockRestore();
    await waitFor(async () => 'b' in (await statuses()), { what: 'the worker that came meanwhile' });
    expect(counts.flushes).toBeGreaterThan(0);
  });
});
