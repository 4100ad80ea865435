// The history pipeline against real servers: whatever happens to owners, stream and ClickHouse, each stored message is in
// exactly one of events and quarantine.
import { JetStreamApiError } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { loop, silentLogger } from '@trellis/async';
import {
  type decodeEvent,
  decodePipelineRecord,
  eventSubject,
  type LifecycleEvent,
  type PipelineRecord,
} from '@trellis/contracts';
import { connectNats, JobStream, provision } from '@trellis/nats';
import { type ClickHouse, openClickHouse } from '@trellis/store-clickhouse';
import { generatedHistory } from '@trellis/store-clickhouse/generated-history';
import { expectedViews, firstDifferences, HistoryBench } from '@trellis/store-clickhouse/history-bench';
import { freshClickHouse, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type ClickHouseRelay, clickHouseRelay } from '../testing/clickhouse-relay.ts';
import { type HistoryPipelineOptions, type HistoryStatus, runHistoryPipeline } from './pipeline.ts';

// A version that cannot read the jobs named "later": they go to the quarantine.
const oldVersion = vi.hoisted(() => ({ runs: false }));
vi.mock('@trellis/contracts', async (original) => {
  const contracts = await original<typeof import('@trellis/contracts')>();
  const decode: typeof decodeEvent = (message) => {
    if (!oldVersion.runs || !message.subject.includes('.later-')) return contracts.decodeEvent(message);
    const { sequence, storedAt, subject, data } = message;
    return {
      kind: 'quarantined',
      quarantined: { sequence, storedAt, subject, data, code: 'unknown-event', reason: 'too new' },
    };
  };
  return { ...contracts, decodeEvent: decode };
});

const LEASE_MS = 1_500;
const everything = new AsyncDisposableStack();
let nats: TestNats;
let publisher: NatsConnection;
beforeAll(async () => {
  nats = everything.use(await startTestNats());
  publisher = await nats.connect();
});
afterAll(() => everything.disposeAsync());

/** A stream, a database and the owners of one test. */
interface Bench extends AsyncDisposable {
  stream: JobStream;
  relay: ClickHouseRelay;
  clickhouse: ClickHouse;
  start(owner: string, options?: Partial<HistoryPipelineOptions>): Promise<Owner>;
  record(): Promise<PipelineRecord>;
}

interface Owner {
  status: HistoryStatus | undefined;
  /** Lets it end as SIGTERM does. */
  stop(): Promise<void>;
  /** Cuts it off from NATS and stops it where it is, as SIGKILL does: nothing is given back. */
  kill(): Promise<void>;
}

async function openBench(): Promise<Bench> {
  const names = { jobs: 'JOBS', work: 'JOBS_WORK', advisories: 'JOBS_ADVISORIES', presence: 'JOBS_PRESENCE' };
  const stream = await JobStream.open(publisher, { names });
  for (const name of [...Object.values(names), 'KV_JOBS_PIPELINES']) {
    await stream.jsm.streams.delete(name).catch((error) => {
      if (!(error instanceof JetStreamApiError)) throw error;
    });
  }
  await provision(publisher, { names });
  const resources = new AsyncDisposableStack();
  const fresh = resources.use(await freshClickHouse());
  const relay = resources.use(await clickHouseRelay(fresh.url));
  const clickhouse = resources.use(openClickHouse({ url: fresh.url }));
  const owners: Owner[] = [];

  async function start(name: string, options: Partial<HistoryPipelineOptions> = {}): Promise<Owner> {
    const stop = new AbortController();
    const connection = await connectNats({ url: nats.url, name });
    const throughRelay = openClickHouse({ url: relay.url });
    const own = await JobStream.open(connection, { names });
    const owner: Owner = {
      status: undefined,
      stop: async () => {
        stop.abort();
        await running.done;
        await throughRelay.close();
        if (!connection.isClosed()) await connection.close();
      },
      kill: async () => {
        await connection.close();
        await owner.stop();
      },
    };
    const running = loop(name, {
      signal: stop.signal,
      log: silentLogger(),
      backoff: { firstMs: 20, maxMs: 200 },
      run: (signal) =>
        runHistoryPipeline({
          stream: own,
          clickhouse: throughRelay,
          owner: name,
          log: silentLogger(),
          signal,
          leaseMs: LEASE_MS,
          paceMs: { caughtUp: 20, rest: 50, behind: 50 },
          status: (status) => {
            owner.status = { ...status };
          },
          ...options,
        }),
    });
    owners.push(owner);
    return owner;
  }
  resources.defer(async () => {
    relay.insertFate = () => 'pass';
    await Promise.all(owners.map((owner) => owner.stop()));
  });

  return {
    stream,
    relay,
    clickhouse,
    start,
    record: async () => {
      const kv = await new Kvm(stream.js).open('JOBS_PIPELINES');
      return decodePipelineRecord((await kv.get('history'))?.string() ?? '');
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

let bench: Bench;
beforeEach(async () => {
  oldVersion.runs = false;
  bench = await openBench();
  return () => bench[Symbol.asyncDispose]();
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const created = (jobId: string, rest: Partial<LifecycleEvent> = {}): LifecycleEvent => ({
  jobId,
  service: 'orders',
  jobType: 'reserve',
  eventType: 'created',
  state: 'pending',
  timestamp: '2026-03-01T10:00:00.000Z',
  context: { requestId: 'r', traceId, traceparent: `00-${traceId}-b7ad6b7169203331-01` },
  tries: 0,
  payload: {},
  ...rest,
});

/** @returns the last sequence */
async function publish(...events: (LifecycleEvent | { subject: string; body: string })[]): Promise<number> {
  const acks = await Promise.all(
    events.map((event) =>
      'subject' in event
        ? bench.stream.js.publish(String(event.subject), String(event.body))
        : bench.stream.js.publish(
            eventSubject(event.service, event.jobType, event.jobId, event.eventType),
            JSON.stringify(event),
          ),
    ),
  );
  return Math.max(...acks.map(({ seq }) => seq));
}
const jobs = (count: number, prefix = 'job'): LifecycleEvent[] =>
  Array.from({ length: count }, (_, index) => created(`${prefix}-${index}`));
const unreadable = { subject: 'trellis.jobs.orders.reserve.bad.created', body: 'no json' };

async function rows<Row>(query: string): Promise<Row[]> {
  const result = await bench.clickhouse.client.query({ query, format: 'JSONEachRow' });
  return result.json<Row>();
}

/** The sequences in events and in quarantine; undefined while there are no tables. */
async function history(): Promise<{ events: number[]; quarantine: number[] }> {
  const sequences = async (view: string) =>
    (await rows<{ s: number }>(`SELECT toUInt32(stream_sequence) AS s FROM ${view} ORDER BY s`)).map(({ s }) => s);
  return { events: await sequences('events'), quarantine: await sequences('quarantine') };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Waits until the record says that everything up to `sequence` is written. */
const written = (sequence: number): Promise<unknown> =>
  waitFor(async () => (await bench.record().catch(() => undefined))?.position === sequence, {
    what: `the history to reach ${sequence}`,
    timeoutMs: 20_000,
  });

test('every stored message is in exactly one of events and quarantine', async () => {
  await publish(...jobs(300));
  await publish(unreadable, created('x', { service: 'billing' }), {
    subject: 'trellis.jobs.a.b.c.unheardOf',
    body: '{}',
  });
  await bench.start('one');
  await written(303);
  const last = await publish(...jobs(50, 'more'), unreadable);
  await written(last);
  expect(await history()).toEqual({ events: [...range(1, 300), 302, ...range(304, 353)], quarantine: [301, 303, 354] });
  expect(await rows('SELECT code, subject FROM quarantine WHERE stream_sequence = 301')).toEqual([
    { code: 'not-json', subject: unreadable.subject },
  ]);
});

test('a restart goes on where it was, and a consumer that is deleted under it changes nothing', async () => {
  await publish(...jobs(100));
  const first = await bench.start('first');
  await written(100);
  await first.stop();
  expect(await bench.record()).toMatchObject({ leaseUntil: new Date(0).toISOString(), intent: null, position: 100 });

  await publish(...jobs(100, 'second'));
  await bench.start('second');
  await written(200);
  await bench.stream.jsm.consumers.delete('JOBS', 'history');
  await publish(...jobs(100, 'third'));
  await written(300);
  expect(await history()).toEqual({ events: range(1, 300), quarantine: [] });
  expect((await bench.record()).generation).toBe(1);
});

test('an owner killed after its insert and before its commit: the insert is repeated with its token, and counts once', async () => {
  await publish(...jobs(100), unreadable);
  let landed = () => {};
  const hasLanded = new Promise<void>((resolve) => (landed = resolve));
  bench.relay.insertFate = () => {
    landed();
    return 'lose-answer';
  };
  const first = await bench.start('first');
  await hasLanded;
  await first.kill();
  const { intent } = await bench.record();
  expect(intent).toMatchObject({ kind: 'tail', from: 1, token: `1:1-${intent?.to}` });
  const tokensBefore = bench.relay.tokens.length;

  bench.relay.insertFate = () => 'pass';
  await publish(...jobs(20, 'later'));
  await bench.start('second');
  await written(121);
  expect(bench.relay.tokens[tokensBefore]).toBe(intent?.token);
  expect(await history()).toEqual({ events: [...range(1, 100), ...range(102, 121)], quarantine: [101] });
  expect(await bench.record()).toMatchObject({ epoch: 2, generation: 1, intent: null });
});

test('an insert that was begun, never arrived, and lost messages to a purge since: what is left is written, once', async () => {
  await publish(...jobs(100));
  let seen = () => {};
  const wasSeen = new Promise<void>((resolve) => (seen = resolve));
  bench.relay.insertFate = () => {
    seen();
    return 'lose';
  };
  const first = await bench.start('first');
  await wasSeen;
  await first.kill();
  const { intent } = await bench.record();
  expect(intent).toMatchObject({ from: 1, to: 100 });
  await bench.stream.jsm.streams.deleteMessage('JOBS', 50, false);
  await bench.stream.jsm.streams.deleteMessage('JOBS', 100, false);

  bench.relay.insertFate = () => 'pass';
  const second = await bench.start('second');
  await written(100);
  expect(await bench.record()).toMatchObject({ intent: null, written: { sequence: 99 } });
  await publish(...jobs(10, 'more'));
  await written(110);
  await second.stop();
  await bench.start('third');
  await publish(created('last'));
  await written(111);
  expect((await history()).events).toEqual([...range(1, 49), ...range(51, 99), ...range(101, 111)]);
  expect((await bench.record()).generation).toBe(1);
});

test('an insert that was begun and whose messages are all purged since is given up', async () => {
  await publish(...jobs(30));
  let seen = () => {};
  const wasSeen = new Promise<void>((resolve) => (seen = resolve));
  bench.relay.insertFate = () => {
    seen();
    return 'lose';
  };
  const first = await bench.start('first');
  await wasSeen;
  await first.kill();
  await bench.stream.jsm.streams.purge('JOBS');
  bench.relay.insertFate = () => 'pass';
  await bench.start('second');
  await written(30);
  await publish(...jobs(5, 'more'));
  await written(35);
  expect((await history()).events).toEqual(range(31, 35));
  expect((await bench.record()).generation).toBe(1);
});

test('of two owners one writes; when it dies the other goes on', async () => {
  const [one, two] = await Promise.all([bench.start('one'), bench.start('two')]);
  await publish(...jobs(200));
  await written(200);
  await waitFor(() => one.status?.role === 'standby' || two.status?.role === 'standby', { what: 'one to stand by' });
  const [writing, standby] = one.status?.role === 'standby' ? [two, one] : [one, two];
  expect(writing.status?.role).toBe('writing');
  await writing.kill();
  await publish(...jobs(200, 'more'), unreadable);
  await written(401);
  expect(standby.status?.role).toBe('writing');
  expect(await history()).toEqual({ events: range(1, 400), quarantine: [401] });
});

test('an owner that was frozen in the middle of an insert wakes up, inserts, and changes nothing', async () => {
  await publish(...jobs(100));
  let wake: (fate: 'pass') => void = () => {};
  let asleep = () => {};
  const isAsleep = new Promise<void>((resolve) => (asleep = resolve));
  bench.relay.insertFate = () => {
    bench.relay.insertFate = () => 'pass';
    asleep();
    return new Promise((resolve) => (wake = resolve));
  };
  const frozen = await bench.start('frozen');
  await isAsleep;
  // It hears nothing and says nothing, so that its lease runs out, while its request is on the way.
  const kv = await new Kvm(bench.stream.js).open('JOBS_PIPELINES');
  await kv.put('history', JSON.stringify({ ...(await bench.record()), leaseUntil: new Date(0).toISOString() }));

  await bench.start('successor');
  await publish(...jobs(50, 'more'));
  await written(150);
  wake('pass');
  await publish(...jobs(50, 'even-more'));
  await written(200);
  await waitFor(() => frozen.status?.role === 'standby', { what: 'the frozen owner to stand by' });
  expect(await history()).toEqual({ events: range(1, 200), quarantine: [] });
  expect(bench.relay.tokens.filter((token) => token === bench.relay.tokens[0]).length).toBe(2);
});

test('three owners that fight for the lease write everything once', async () => {
  const names = ['one', 'two', 'three'];
  await Promise.all(names.map((name) => bench.start(name)));
  const kv = await new Kvm(bench.stream.js).open('JOBS_PIPELINES').catch(() => undefined);
  expect(kv).toBeDefined();
  let published = 0;
  for (let round = 0; round < 12; round++) {
    published = await publish(...jobs(100, `round-${round}`));
    // Whoever holds the lease loses it, wherever it is.
    const record = await bench.record().catch(() => undefined);
    if (record) await kv?.put('history', JSON.stringify({ ...record, leaseUntil: new Date(0).toISOString() }));
  }
  await written(published);
  expect((await history()).events).toEqual(range(1, published));
});

test('while ClickHouse is away the pipeline waits and says so; nothing is skipped', async () => {
  const owner = await bench.start('one');
  await publish(...jobs(10));
  await written(10);
  let tries = 0;
  bench.relay.insertFate = () => (++tries < 4 ? 'lose' : 'pass');
  await publish(...jobs(10, 'more'));
  await waitFor(() => owner.status?.storeError !== undefined, { what: 'the failure to be told' });
  await written(20);
  expect(tries).toBeGreaterThanOrEqual(4);
  expect(new Set(bench.relay.tokens.slice(-4)).size).toBe(1);
  expect(owner.status?.storeError).toBeUndefined();
  expect((await history()).events).toEqual(range(1, 20));
});

test('when NATS is killed and comes back, the pipeline goes on by itself', async () => {
  await bench.start('one');
  await publish(...jobs(50));
  await written(50);
  await nats.kill();
  await nats.restart();
  const last = await publish(...jobs(50, 'more'));
  await written(last);
  const { events } = await history();
  expect(events).toEqual(range(1, last));
});

test('a stream that was made anew gets a history of its own, the former one is out of the views', async () => {
  await bench.start('one');
  await publish(...jobs(30));
  await written(30);
  await bench.stream.jsm.streams.delete('JOBS');
  await provision(publisher, {});
  await publish(...jobs(10, 'anew'));
  await waitFor(async () => (await bench.record()).generation === 2 && (await bench.record()).position === 10, {
    what: 'the new history',
    timeoutMs: 20_000,
  });
  expect((await history()).events).toEqual(range(1, 10));
  expect(await rows('SELECT toUInt32(count()) AS n FROM journal WHERE generation = 1')).toEqual([{ n: 30 }]);
});

test('when ClickHouse was emptied while nobody ran, the history is written anew', async () => {
  const first = await bench.start('first');
  await publish(...jobs(30));
  await written(30);
  await first.stop();
  await bench.clickhouse.client.command({ query: 'TRUNCATE TABLE journal' });
  await bench.start('second');
  await publish(...jobs(5, 'more'));
  await written(35);
  expect((await history()).events).toEqual(range(1, 35));
  expect((await bench.record()).generation).toBe(2);
});

test('when another message than the one written is at its place in the stream, the history is written anew', async () => {
  const first = await bench.start('first');
  await publish(...jobs(30));
  await written(30);
  await first.stop();
  // As after a restored older copy of the stream that has grown again.
  const kv = await new Kvm(bench.stream.js).open('JOBS_PIPELINES');
  const record = await bench.record();
  await kv.put(
    'history',
    JSON.stringify({ ...record, written: { ...record.written, storedAt: '2026-01-01T00:00:00.000Z' } }),
  );
  await bench.start('second');
  await waitFor(async () => (await bench.record()).generation === 2 && (await bench.record()).position === 30, {
    what: 'the new history',
    timeoutMs: 20_000,
  });
  expect((await history()).events).toEqual(range(1, 30));
});

test('when the database is dropped while it runs, the history is written anew', async () => {
  await bench.start('one');
  await publish(...jobs(30));
  await written(30);
  await bench.clickhouse.client.command({ query: `DROP DATABASE ${bench.clickhouse.database} SYNC` });
  await publish(...jobs(5, 'more'));
  await written(35);
  expect((await history()).events).toEqual(range(1, 35));
});

test('ClickHouse comes back from an outage with older data: it is noticed before the next insert', async () => {
  await bench.start('one');
  await publish(...jobs(30));
  await written(30);
  let lost = false;
  bench.relay.insertFate = async () => {
    if (lost) return 'pass';
    lost = true;
    await bench.clickhouse.client.command({ query: 'TRUNCATE TABLE journal' });
    return 'lose';
  };
  await publish(...jobs(5, 'more'));
  await waitFor(async () => (await bench.record()).generation === 2 && (await bench.record()).position === 35, {
    what: 'the new history',
    timeoutMs: 20_000,
  });
  expect((await history()).events).toEqual(range(1, 35));
});

test('what a newer version can read leaves the quarantine and becomes an event, once', async () => {
  oldVersion.runs = true;
  const first = await bench.start('first');
  await publish(created('a'), created('later-1'), unreadable, created('later-2'));
  await written(4);
  expect(await history()).toEqual({ events: [1], quarantine: [2, 3, 4] });
  await first.stop();

  oldVersion.runs = false;
  const lose = 'lose-answer';
  let answers = 0;
  bench.relay.insertFate = () => (answers++ === 0 ? lose : 'pass');
  const second = await bench.start('second');
  await waitFor(() => second.status?.role === 'writing', { what: 'the second to write' });
  await publish(created('b'));
  await written(5);
  await second.stop();
  await bench.start('third');
  await publish(created('c'));
  await written(6);
  expect(await history()).toEqual({ events: [1, 2, 4, 5, 6], quarantine: [3] });
  expect(await rows('SELECT job_id FROM events WHERE released ORDER BY stream_sequence')).toEqual([
    { job_id: 'later-1' },
    { job_id: 'later-2' },
  ]);
});

test('an owner killed in the middle of a release: the release is finished, once', async () => {
  oldVersion.runs = true;
  const first = await bench.start('first');
  await publish(created('later-1'), created('later-2'));
  await written(2);
  await first.stop();

  oldVersion.runs = false;
  let landed = () => {};
  const hasLanded = new Promise<void>((resolve) => (landed = resolve));
  bench.relay.insertFate = () => {
    landed();
    return 'lose-answer';
  };
  const second = await bench.start('second');
  await hasLanded;
  await second.kill();
  expect((await bench.record()).intent).toMatchObject({ kind: 'release', from: 1, to: 2 });
  bench.relay.insertFate = () => 'pass';
  await bench.start('third');
  await publish(created('b'));
  await written(3);
  expect(await history()).toEqual({ events: [1, 2, 3], quarantine: [] });
});

test('a version that reads less or more than the one that began an insert still stores each message once', async () => {
  oldVersion.runs = true;
  await publish(created('a'), created('later-1'), created('b'));
  let landed = () => {};
  const hasLanded = new Promise<void>((resolve) => (landed = resolve));
  bench.relay.insertFate = () => {
    landed();
    return 'lose-answer';
  };
  const first = await bench.start('old');
  await hasLanded;
  await first.kill();
  oldVersion.runs = false;
  bench.relay.insertFate = () => 'pass';
  await bench.start('new');
  await publish(created('c'));
  await written(4);
  expect(await history()).toEqual({ events: [1, 2, 3, 4], quarantine: [] });
});

test('payloads of the largest size pass, many at once, in bounded blocks', async () => {
  const filler = 'z'.repeat(900_000);
  const owner = await bench.start('one', { limit: { rows: 50_000, bytes: 4_000_000 } });
  await publish(...range(1, 12).map((index) => created(`big-${index}`, { payload: { filler, index } })));
  await written(12);
  expect(await rows(`SELECT toUInt32(count()) AS n, toUInt32(min(length(payload))) AS least FROM events`)).toEqual([
    { n: 12, least: filler.length + '{"filler":"","index":1}'.length },
  ]);
  expect(owner.status?.blocks).toBeGreaterThan(2);
});

test('sequences that hold no event are passed, so that the position reaches the end of the stream', async () => {
  const last = await publish(...jobs(5));
  await bench.stream.jsm.streams.deleteMessage('JOBS', 2, false);
  await bench.stream.jsm.streams.deleteMessage('JOBS', last, false);
  await bench.start('one');
  await written(last);
  expect(await bench.record()).toMatchObject({ written: { sequence: 4 } });
  expect((await history()).events).toEqual([1, 3, 4]);
});

test('blocks end where they are full, also in the middle of what was read at once', async () => {
  const last = await publish(...jobs(1_000));
  const owner = await bench.start('one', { limit: { rows: 37, bytes: 1_000_000 } });
  await written(last);
  expect((await history()).events).toEqual(range(1, last));
  expect(owner.status).toMatchObject({ rows: last });
  expect(owner.status?.blocks).toBeGreaterThanOrEqual(Math.ceil(last / 37));
});

test('the first block of a backlog fills like any other', async () => {
  const last = await publish(...jobs(3_000));
  let first = 0;
  await bench.start('one', {
    paceMs: { caughtUp: 0, rest: 0, behind: 3_600_000 },
    status: ({ blocks, rows }) => {
      if (blocks === 1) first = rows;
    },
  });
  await written(last);
  expect(first).toBeGreaterThanOrEqual(last / 2);
});

/** Compares runs and minutes with what the events of the journal come to. */
async function expectExactViews(): Promise<void> {
  const views = new HistoryBench(bench.clickhouse);
  const events = await views.storedEvents();
  const { found, expected } = firstDifferences(await views.views(), expectedViews(events));
  expect(found).toEqual(expected);
  expect(await rows('SELECT toUInt32(sum(events)) AS n FROM event_minutes')).toEqual([{ n: events.length }]);
}

test('runs and minutes are exact when inserts are lost or repeated, owners are killed, and the history is rebuilt', async () => {
  const events = generatedHistory({ jobs: 150, from: Date.UTC(2026, 2, 1), spanMs: 600_000 }).map(({ event }) => event);
  const limit = { rows: 60, bytes: 1_000_000 };
  const fates = ['pass', 'lose', 'lose-answer', 'pass', 'lose-answer', 'lose'] as const;
  let inserts = 0;
  bench.relay.insertFate = () => fates[inserts++ % fates.length] ?? 'pass';
  const first = await bench.start('first', { limit });
  await publish(...events.slice(0, 300));
  await written(300);
  await publish(...events.slice(300, 500));
  await first.kill();
  const second = await bench.start('second', { limit });
  await written(500);
  await expectExactViews();

  await second.stop();
  bench.relay.insertFate = () => 'pass';
  await bench.clickhouse.client.command({ query: 'TRUNCATE TABLE journal' });
  await publish(...events.slice(500));
  await bench.start('third');
  await waitFor(async () => (await bench.record()).generation === 2, { what: 'the rebuild' });
  await written(events.length);
  expect((await history()).events).toEqual(range(1, events.length));
  await expectExactViews();
});

/** An owner whose first insert took effect, and who was killed before it heard of it. */
async function startAndKillInsideInsert(): Promise<void> {
  bench.relay.insertFate = () => 'lose-answer';
  const owner = await bench.start('first');
  await waitFor(
    async () => Number((await rows<{ n: string }>('SELECT count() AS n FROM event_minute_rows'))[0]?.n) > 0,
    {
      what: 'the insert',
    },
  );
  await owner.kill();
  bench.relay.insertFate = () => 'pass';
}

/** As a server leaves it that is killed when it has noted the token of a part and not yet kept the part. */
const loseRows = (table: string) =>
  bench.clickhouse.client.command({
    query: `ALTER TABLE ${table} DELETE WHERE generation = 1`,
    clickhouse_settings: { mutations_sync: '2' },
  });

test.each(['journal', 'run_rows', 'minute_rows', 'hour_rows', 'event_minute_rows'])(
  'rows of %s that a killed server lost, and that a repeat does not bring back, are found missing: the history is written anew',
  async (table) => {
    const events = generatedHistory({ jobs: 40, from: Date.UTC(2026, 2, 1), spanMs: 600_000 }).map(
      ({ event }) => event,
    );
    await publish(...events);
    let tries = 0;
    bench.relay.insertFate = async () => {
      tries += 1;
      if (tries === 1) return 'lose-answer';
      if (tries === 2) await loseRows(table);
      return 'pass';
    };
    await bench.start('first');
    await waitFor(async () => (await bench.record().catch(() => undefined))?.generation === 2, { what: 'the rebuild' });
    await written(events.length);
    expect((await bench.record()).rebuild).toBeUndefined();
    expect((await history()).events).toEqual(range(1, events.length));
    await expectExactViews();
  },
);

test('what an owner left behind that was killed in the middle of an insert is looked at, too', async () => {
  const events = generatedHistory({ jobs: 40, from: Date.UTC(2026, 2, 1), spanMs: 600_000 }).map(({ event }) => event);
  await publish(...events);
  await startAndKillInsideInsert();
  await loseRows('event_minute_rows');
  await bench.start('second');
  await waitFor(async () => (await bench.record()).generation === 2, { what: 'the rebuild' });
  await written(events.length);
  await expectExactViews();
});

test('an insert that was begun before tables are replaced is not sent again to the new ones: the history is written anew', async () => {
  const events = generatedHistory({ jobs: 40, from: Date.UTC(2026, 2, 1), spanMs: 600_000 }).map(({ event }) => event);
  await publish(...events);
  await startAndKillInsideInsert();
  await bench.clickhouse.client.command({
    query: `ALTER TABLE schema_migrations DELETE WHERE name LIKE '%_minute_rows_by_hour.sql'`,
    clickhouse_settings: { mutations_sync: '2' },
  });
  await bench.start('second');
  await waitFor(async () => (await bench.record()).generation === 2, { what: 'the rebuild' });
  await written(events.length);
  await expectExactViews();
});

test('a history that the retention has emptied goes on, and without a retention is written anew', async () => {
  const first = await bench.start('first');
  await publish(...jobs(10));
  await written(10);
  await first.stop();
  // As long afterwards: what was written is older than the retention, and gone from stream and ClickHouse.
  const kv = await new Kvm(bench.stream.js).open('JOBS_PIPELINES');
  const record = await bench.record();
  const age = async (generation: number) => {
    const storedAt = new Date(Date.now() - 3 * 86_400_000).toISOString();
    await kv.put('history', JSON.stringify({ ...(await bench.record()), written: { sequence: 10, storedAt } }));
    await bench.clickhouse.client.command({ query: `ALTER TABLE journal DELETE WHERE generation = ${generation}` });
    await waitFor(async () => (await rows('SELECT * FROM journal')).length === 0, { what: 'the rows to be gone' });
  };
  await bench.stream.jsm.streams.purge('JOBS');
  await age(record.generation);
  const second = await bench.start('second', { ttlDays: 2 });
  await waitFor(() => second.status?.role === 'writing', { what: 'the second owner' });
  expect((await bench.record()).generation).toBe(1);
  await second.stop();
  await bench.start('third');
  await waitFor(async () => (await bench.record()).generation === 2, { what: 'a new history' });
});
