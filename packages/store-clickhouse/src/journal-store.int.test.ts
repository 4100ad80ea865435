import { decodeEvent, type StoredMessage } from '@trellis/contracts';
import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JournalBlock } from './journal-block.ts';
import { JournalGone, JournalStore } from './journal-store.ts';
import { migrateClickHouse } from './migrate.ts';
import { type ClickHouse, openClickHouse } from './open-clickhouse.ts';

const disposables = new AsyncDisposableStack();
let clickhouse: ClickHouse;
let store: JournalStore;
let generation = 0;

beforeAll(async () => {
  const { url } = disposables.use(await freshClickHouse());
  clickhouse = disposables.use(openClickHouse({ url }));
  await migrateClickHouse(clickhouse);
  store = new JournalStore(clickhouse);
});
afterAll(() => disposables.disposeAsync());
// A separate generation for each test: the views show the last one started.
beforeEach(async () => store.beginGeneration(++generation, '2026-01-01T00:00:00.000Z', 'test'));

const rows = async (query: string): Promise<Record<string, unknown>[]> =>
  (await clickhouse.client.query({ query, format: 'JSONEachRow' })).json();
const count = async (from: string): Promise<number> =>
  Number((await rows(`SELECT toUInt32(count()) AS n FROM ${from}`))[0]?.n);

const context = {
  requestId: 'req-1',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};
const required = {
  jobId: 'j1',
  service: 'orders',
  jobType: 'reserve',
  eventType: 'created',
  state: 'pending',
  timestamp: '2026-03-01T10:00:00.123Z',
  context,
  tries: 0,
  payload: {},
};

/** @param body JSON text, or an object merged into a valid event */
function message(sequence: number, body: string | object = {}, storedAt = '2026-03-01T10:00:01.456Z'): StoredMessage {
  const event = { ...required, ...(typeof body === 'object' ? body : {}) };
  const text = typeof body === 'string' ? body : JSON.stringify(event);
  const subject = `trellis.jobs.orders.reserve.${event.jobId}.${event.eventType}`;
  return { sequence, subject, storedAt, data: new TextEncoder().encode(text) };
}

function blockOf(messages: StoredMessage[], released = false): JournalBlock {
  const block = new JournalBlock(generation);
  for (const one of messages) block.add(one, decodeEvent(one), released);
  return block;
}

describe('a row', () => {
  test('holds every field of the protocol, and JSON exactly as published', async () => {
    const text = `{"jobId":"j1","service":"orders","jobType":"reserve","eventType":"retry","state":"retry",
      "timestamp":"2026-03-01T12:00:00.5+02:00","tries":2,"maxTries":5,"previousState":"active","error":"no\\nstock",
      "context":{"requestId":"r","traceId":"${context.traceId}","traceparent":"${context.traceparent}","tracestate":"a=b"},
      "payload": {"id": 12345678901234567890, "price": 1.10, "name":"Zoë 🚀"}, "result":[1, null], "progress":{"step":"a","total":0.5},
      "logs":[{"timestamp":"2026-03-01T10:00:00Z","level":"warn","message":"m"}], "deadline":"2026-03-02T00:00:00Z",
      "concurrency":{"key":"k","keyHash":"h"}, "queuePolicy":{"outcome":"replaced","reason":"why","existingJobId":"e","replacedJobId":"r"}, "instanceId":"i-1",
      "workSequence":9007199254740991, "handedBack":true, "attemptTraceparent":"00-${context.traceId}-${'c'.repeat(16)}-01",
      "workerVersion":"1.2.3", "actor":{"kind":"operator","id":"ann"}, "reason":"because"}`;
    const retry = { ...message(7, text), subject: 'trellis.jobs.orders.reserve.j1.retry' };
    await store.append(blockOf([retry]), `${generation}:7-7`);

    expect(await rows('SELECT * FROM events')).toEqual([
      {
        stream_sequence: 7,
        stored_at: '2026-03-01 10:00:01.456',
        timestamp: '2026-03-01 10:00:00.500',
        service: 'orders',
        job_type: 'reserve',
        job_id: 'j1',
        event_type: 'retry',
        state: 'retry',
        previous_state: 'active',
        tries: 2,
        max_tries: 5,
        error: 'no\nstock',
        request_id: 'r',
        trace_id: context.traceId,
        traceparent: context.traceparent,
        tracestate: 'a=b',
        attempt_traceparent: `00-${context.traceId}-${'c'.repeat(16)}-01`,
        payload: '{"id": 12345678901234567890, "price": 1.10, "name":"Zoë 🚀"}',
        result: '[1, null]',
        progress: '{"step":"a","total":0.5}',
        progress_step: 'a',
        progress_message: '',
        progress_current: null,
        progress_total: 0.5,
        logs: [{ timestamp: '2026-03-01 10:00:00.000', level: 'warn', message: 'm' }],
        concurrency: '{"key":"k","keyHash":"h"}',
        concurrency_key: 'k',
        key_hash: 'h',
        queue_policy: '{"outcome":"replaced","reason":"why","existingJobId":"e","replacedJobId":"r"}',
        queue_policy_outcome: 'replaced',
        queue_policy_reason: 'why',
        queue_policy_existing_job_id: 'e',
        queue_policy_replaced_job_id: 'r',
        deadline: '2026-03-02 00:00:00.000',
        instance_id: 'i-1',
        worker_version: '1.2.3',
        work_sequence: 9007199254740991,
        handed_back: true,
        actor_kind: 'operator',
        actor_id: 'ann',
        reason: 'because',
        extra: '',
        released: false,
      },
    ]);
  });

  test('distinguishes an absent value from null and from an empty text', async () => {
    const messages = [message(1, { payload: null }), message(2, { payload: '' }), message(3, { result: null })];
    await store.append(blockOf(messages), `${generation}:1-3`);
    expect(await rows('SELECT payload, result, max_tries, deadline FROM events ORDER BY stream_sequence')).toEqual([
      { payload: 'null', result: '', max_tries: null, deadline: null },
      { payload: '""', result: '', max_tries: null, deadline: null },
      { payload: '{}', result: 'null', max_tries: null, deadline: null },
    ]);
  });

  test('keeps unknown and invalid fields in extra, and valid log lines beside invalid ones', async () => {
    const good = { timestamp: '2026-03-01T10:00:00.000Z', level: 'info', message: 'm' };
    const body = {
      context: { ...context, tenant: 't1' },
      actor: { kind: 'janitor', shift: 2 },
      maxTries: 'many',
      deadline: 'tomorrow',
      logs: [good, { level: 'loud' }],
      'new field': { deep: [1.5] },
    };
    await store.append(blockOf([message(1, body)]), `${generation}:1-1`);
    const [row] = await rows('SELECT extra, max_tries, deadline, logs, actor_kind FROM events');
    expect(row).toMatchObject({ max_tries: null, deadline: null, actor_kind: 'janitor' });
    expect(JSON.parse(String(row?.extra))).toEqual({
      maxTries: 'many',
      deadline: 'tomorrow',
      logs: [good, { level: 'loud' }],
      'new field': { deep: [1.5] },
      context: { tenant: 't1' },
      actor: { shift: 2 },
    });
    expect(row?.logs).toEqual([{ ...good, timestamp: '2026-03-01 10:00:00.000' }]);
  });

  test('with a time outside ClickHouse’s range has the stored time, and keeps the event’s time in extra', async () => {
    const far = { timestamp: '9999-12-31T23:59:59.999Z', deadline: '0001-01-01T00:00:00.000Z' };
    const near = { timestamp: '1900-01-01T00:00:00.000Z', deadline: '2299-12-31T23:59:59.999Z' };
    await store.append(blockOf([message(1, far), message(2, near)]), `${generation}:1-2`);
    expect(await rows('SELECT timestamp, deadline, extra FROM events ORDER BY stream_sequence')).toEqual([
      { timestamp: '2026-03-01 10:00:01.456', deadline: null, extra: JSON.stringify(far) },
      { timestamp: '1900-01-01 00:00:00.000', deadline: '2299-12-31 23:59:59.999', extra: '' },
    ]);
  });

  test('of a message that cannot be decoded keeps its bytes, its subject and the reason', async () => {
    const data = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const bad = { ...message(5), data };
    const block = blockOf([bad, { ...message(6, '{"a":1}'), subject: 'trellis.jobs.not.an.event' }]);
    await store.append(block, `${generation}:5-6`);
    expect(block.quarantined).toBe(2);
    expect(await count('events')).toBe(0);
    expect(
      await rows('SELECT stream_sequence, subject, code, hex(body) AS body FROM quarantine ORDER BY stream_sequence'),
    ).toEqual([
      {
        stream_sequence: 5,
        subject: bad.subject,
        code: 'not-json',
        body: Buffer.from(data).toString('hex').toUpperCase(),
      },
      {
        stream_sequence: 6,
        subject: 'trellis.jobs.not.an.event',
        code: 'bad-subject',
        body: Buffer.from('{"a":1}').toString('hex').toUpperCase(),
      },
    ]);
    const read = await Array.fromAsync(store.quarantined(generation, { first: 5, last: 5, released: false }));
    expect(read).toEqual([{ ...bad, data: Buffer.from(data) }]);
  });

  test('of many megabytes is stored completely', async () => {
    const payload = 'ü'.repeat(6_000_000);
    await store.append(blockOf([message(1), message(2, { payload }), message(3)]), `${generation}:1-3`);
    expect(
      await rows(
        "SELECT length(payload) AS bytes, endsWith(payload, 'ü\"') AS whole FROM events WHERE stream_sequence = 2",
      ),
    ).toEqual([{ bytes: 12_000_002, whole: 1 }]);
    expect(await count('events')).toBe(3);
  });
});

describe('appending', () => {
  test('with the same token takes effect once, repeated or concurrent', async () => {
    const block = blockOf(Array.from({ length: 5_000 }, (_, index) => message(index + 1)));
    await Promise.all(Array.from({ length: 6 }, () => store.append(block, `${generation}:1-5000`)));
    await store.append(block, `${generation}:1-5000`);
    // The token decides, not the content.
    await store.append(blockOf([message(1)]), `${generation}:1-5000`);
    expect(await rows('SELECT toUInt32(count()) AS n, toUInt32(uniqExact(stream_sequence)) AS u FROM events')).toEqual([
      { n: 5_000, u: 5_000 },
    ]);
  });

  test('stores a block over more months than ClickHouse accepts by default, once', async () => {
    const months = Array.from({ length: 101 }, (_, month) => {
      const storedAt = new Date(Date.UTC(2012, month, 3)).toISOString();
      return message(month + 1, {}, storedAt);
    });
    await store.append(blockOf(months), `${generation}:1-101`);
    await store.append(blockOf(months), `${generation}:1-101`);
    expect(await count('events')).toBe(101);
  });

  test('stores events with times over many centuries in one partition', async () => {
    const messages = Array.from({ length: 300 }, (_, year) =>
      message(year + 1, { timestamp: `${1900 + year}-05-05T05:05:05.000Z` }),
    );
    await store.append(blockOf(messages), `${generation}:1-300`);
    expect(await count('events')).toBe(300);
    expect(
      await count(
        `system.parts WHERE database = currentDatabase() AND table = 'journal' AND active AND partition LIKE '(${generation},%'`,
      ),
    ).toBe(1);
  });

  test('throws JournalGone when the table or the database is gone', async () => {
    await using other = await freshClickHouse();
    await using connection = openClickHouse({ url: other.url });
    const empty = new JournalStore(connection);
    await expect(empty.append(blockOf([message(1)]), 'x')).rejects.toThrow(JournalGone);
    await expect(empty.greatestGeneration()).rejects.toThrow(JournalGone);
    await migrateClickHouse(connection);
    expect(await empty.greatestGeneration()).toBe(0);
    await connection.client.command({ query: 'DROP TABLE journal SYNC' });
    await expect(empty.append(blockOf([message(1)]), 'x')).rejects.toThrow(JournalGone);
    await migrateClickHouse(connection);
    await empty.append(blockOf([message(1)]), 'x');
    await connection.client.command({ query: `DROP DATABASE ${other.database} SYNC` });
    await expect(empty.append(blockOf([message(1)]), 'x')).rejects.toThrow(JournalGone);
  });
});

describe('a generation', () => {
  test('leaves the views, and stays stored, when the next one starts', async () => {
    await store.append(blockOf([message(1), message(2, 'not json')]), `${generation}:1-2`);
    const former = generation;
    await store.beginGeneration(++generation, '2026-02-01T00:00:00.000Z', 'test');
    expect(await store.greatestGeneration()).toBe(generation);
    expect(await count('events')).toBe(0);
    expect(await count('quarantine')).toBe(0);
    expect(await count(`journal WHERE generation = ${former}`)).toBe(2);
  });

  test('started twice has one row', async () => {
    await store.beginGeneration(generation, '2026-01-01T00:00:00.000Z', 'test');
    expect(await count(`generations WHERE generation = ${generation}`)).toBe(1);
  });

  test('has a last message, from a sequence on', async () => {
    const storedAt = '2026-03-05T00:00:00.007Z';
    await store.append(blockOf([message(3), message(9, 'bad', storedAt)]), `${generation}:3-9`);
    expect(await store.greatestMessage(generation, 0)).toEqual({ sequence: 9, storedAt });
    expect(await store.greatestMessage(generation, 9)).toEqual({ sequence: 9, storedAt });
    expect(await store.greatestMessage(generation, 10)).toBeUndefined();
    expect(await store.greatestMessage(generation + 1000, 0)).toBeUndefined();
  });

  test('shows a released message among the events, and not in the quarantine', async () => {
    await store.append(blockOf([message(1, 'bad'), message(2, 'bad')]), `${generation}:1-2`);
    await store.append(blockOf([message(2)], true), `${generation}:release:1:2-2`);
    expect(await rows('SELECT stream_sequence FROM quarantine')).toEqual([{ stream_sequence: 1 }]);
    expect(await rows('SELECT stream_sequence, released FROM events')).toEqual([
      { stream_sequence: 2, released: true },
    ]);
    const sequences = async (released: boolean) =>
      (await Array.fromAsync(store.quarantined(generation, { first: 0, last: 99, released }))).map(
        ({ sequence }) => sequence,
      );
    expect(await sequences(false)).toEqual([1]);
    expect(await sequences(true)).toEqual([1, 2]);
  });
});
