// The contents of the public views, and what they must never show.
import { decodeEvent, type StoredEvent, type StoredMessage } from '@trellis/contracts';
import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { JournalBlock } from './journal-block.ts';
import { HistoryBench, messageOf } from './testing/history-bench.ts';

const resources = new AsyncDisposableStack();
let bench: HistoryBench;
beforeAll(async () => {
  const { url } = resources.use(await freshClickHouse());
  bench = resources.use(await HistoryBench.open(url));
});
afterAll(() => resources.disposeAsync());
beforeEach(() => bench.beginHistory());

const SECRET = 's3cr3t-0123456789';

function stored(sequence: number, fields: Record<string, unknown> = {}): StoredEvent {
  const event = {
    jobId: `j${sequence}`,
    service: 'orders',
    jobType: 'reserve',
    eventType: 'created' as const,
    state: 'pending' as const,
    timestamp: '2026-03-01T10:00:00.000Z',
    context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: 'p' },
    tries: 0,
    payload: {},
    ...fields,
  };
  return { sequence, storedAt: '2026-03-01T10:00:01.000Z', event };
}

async function appendMessages(messages: readonly StoredMessage[]): Promise<void> {
  const block = new JournalBlock(bench.generation);
  for (const message of messages) block.add(message, decodeEvent(message));
  await bench.store.append(block, `${bench.generation}:${block.from}-${block.to}`);
}

test('no view shows a slot token, wherever it is in a message', async () => {
  const concurrency = { key: 'k', keyHash: 'h', slotToken: SECRET };
  const whole = messageOf(stored(4, { concurrency, state: 'unheard of' }));
  const text = Buffer.from(whole.data).toString();
  const broken = (sequence: number, data: Buffer) => ({ ...messageOf(stored(sequence)), data });
  const spaced = JSON.stringify({ concurrency: { slotToken: `${SECRET}"\\` } }, null, 2);
  await appendMessages([
    messageOf(stored(1, { concurrency })),
    messageOf(stored(2, { concurrency: { slotToken: SECRET, keyHash: 1 } })),
    messageOf(stored(3, { concurrency: { ...concurrency, instanceId: 7 } })),
    whole,
    broken(5, Buffer.from(text.slice(0, text.indexOf(SECRET) + SECRET.length))),
    broken(6, Buffer.concat([Buffer.from([0xff, 0xfe, 0x00]), Buffer.from(text)])),
    broken(7, Buffer.from(spaced)),
    broken(8, Buffer.from(`{"concurrency":{"slotToken":"${SECRET}"x`)),
    broken(9, Buffer.from(`{"slotToken":"${SECRET}"}}`)),
  ]);
  for (const view of ['events', 'runs', 'minutes', 'hours', 'event_minutes', 'quarantine']) {
    const result = await bench.clickhouse.client.query({ query: `SELECT * FROM ${view}`, format: 'TabSeparated' });
    expect(await result.text(), view).not.toContain(SECRET.slice(0, 8));
  }
  expect(await bench.rows('SELECT count() AS n FROM events')).toEqual([{ n: 3 }]);
  expect(await bench.rows('SELECT count() AS n FROM quarantine')).toEqual([{ n: 6 }]);
  // Messages kept for a newer version have all their bytes.
  const kept = await Array.fromAsync(bench.store.quarantined(bench.generation, { first: 4, last: 4, released: false }));
  expect(kept[0]?.data).toEqual(whole.data);
});

test.each([
  [['card 4711 declined', 'card 4712 declined'], 'card # declined'],
  [['timeout after 5000 ms', 'timeout after 30 ms'], 'timeout after # ms'],
  [['order "A-1" is unknown', 'order "b" is unknown'], 'order ? is unknown'],
  [["no such file '/tmp/a b'", "no such file '/x'"], 'no such file ?'],
  [['job 01M84FX2Z15C0MKZN60M6AFCZT: lost', 'job 7c9e6679-7425-40de-944b-e07fc1f90ae7: lost'], 'job #: lost'],
  [['10.0.0.1:5432 refused', '192.168.1.20:80 refused'], '#.#.#.#:# refused'],
  [["can't reach the host's disk"], "can't reach the host's disk"],
  [['x'.repeat(300)], 'x'.repeat(200)],
])('errors that differ in digits, ids and quoted parts are of one class: %j', async (errors, errorClass) => {
  const failed = { eventType: 'failed', state: 'failed' };
  await bench.append(errors.map((error, index) => stored(index + 1, { ...failed, error })));
  expect(await bench.rows('SELECT error_class, count() AS n FROM runs GROUP BY error_class')).toEqual([
    { error_class: errorClass, n: errors.length },
  ]);
});

test('jobs of 10,000 attempts, 20,000 reports and 5,000 reruns are folded, and later events too', async () => {
  const at = (index: number) => new Date(Date.UTC(2026, 2, 1) + index * 10).toISOString();
  const attempts = Array.from({ length: 20_000 }, (_, index) => {
    const eventType = index === 0 ? 'created' : index % 2 ? 'started' : 'retry';
    return stored(index + 1, { jobId: 'tireless', eventType, timestamp: at(index) });
  });
  const reports = Array.from({ length: 20_000 }, (_, index) => {
    const eventType = index === 0 ? 'started' : 'progress';
    return stored(index + 20_001, { jobId: 'chatty', eventType, timestamp: at(index) });
  });
  const reruns = Array.from({ length: 10_000 }, (_, index) => {
    const eventType = index === 0 ? 'created' : index % 2 ? 'failed' : 'retried';
    return stored(index + 40_001, { jobId: 'undying', eventType, timestamp: at(index) });
  });
  await bench.append([...attempts, ...reports, ...reruns]);
  await bench.append([stored(50_001, { jobId: 'tireless', eventType: 'completed', timestamp: at(20_000) })]);
  expect(
    await bench.rows(
      'SELECT job_id, state, attempts, length(attempt_ms) AS finished, run_ms, reruns, events FROM runs ORDER BY job_id',
    ),
  ).toEqual([
    { job_id: 'chatty', state: 'active', attempts: 1, finished: 0, run_ms: 0, reruns: 0, events: 20_000 },
    {
      job_id: 'tireless',
      state: 'completed',
      attempts: 10_000,
      finished: 10_000,
      run_ms: 100_000,
      reruns: 0,
      events: 20_001,
    },
    { job_id: 'undying', state: 'failed', attempts: 0, finished: 0, run_ms: 0, reruns: 4_999, events: 10_000 },
  ]);
  expect(await bench.rows("SELECT sum(jobs) AS n FROM minutes WHERE outcome = 'failed'")).toEqual([{ n: 5_000 }]);
});
