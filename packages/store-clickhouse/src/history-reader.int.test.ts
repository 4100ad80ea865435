import { decodeEvent, type LifecycleEvent, type StoredMessage } from '@trellis/contracts';
import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HistoryReader } from './history-reader.ts';
import { JournalBlock } from './journal-block.ts';
import { JournalStore } from './journal-store.ts';
import { migrateClickHouse } from './migrate.ts';
import { type ClickHouse, openClickHouse } from './open-clickhouse.ts';

const resources = new AsyncDisposableStack();
let clickhouse: ClickHouse;
let store: JournalStore;
let reader: HistoryReader;
beforeAll(async () => {
  const { url } = resources.use(await freshClickHouse());
  clickhouse = resources.use(openClickHouse({ url }));
  await migrateClickHouse(clickhouse);
  store = new JournalStore(clickhouse);
  reader = new HistoryReader(clickhouse);
});
afterAll(() => resources.disposeAsync());

let sequence = 0;
function message(fields: Record<string, unknown>): StoredMessage {
  sequence += 1;
  const body = {
    jobId: 'j1',
    service: 'orders',
    jobType: 'reserve',
    eventType: 'created',
    state: 'pending',
    timestamp: '2026-03-01T10:00:00.123Z',
    context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    tries: 0,
    payload: { n: sequence },
    ...fields,
  };
  return {
    sequence,
    subject: `trellis.jobs.${body.service}.${body.jobType}.${body.jobId}.${body.eventType}`,
    storedAt: new Date(Date.UTC(2026, 2, 1) + sequence).toISOString(),
    data: Buffer.from(JSON.stringify(body)),
  };
}

async function append(generation: number, ...messages: StoredMessage[]): Promise<void> {
  await store.beginGeneration(generation, '2026-01-01T00:00:00.000Z', 'test');
  const block = new JournalBlock(generation);
  for (const one of messages) block.add(one, decodeEvent(one));
  await store.append(block, `${generation}:${block.from}-${block.to}`);
}

const concurrency = { key: 'k', keyHash: 'h', instanceId: 'i', heartbeatAt: '2026-03-01T10:00:00.000Z', more: [1] };
const logs = [{ timestamp: '2026-03-01T10:00:00.000Z', level: 'warn' as const, message: 'm' }];

test('events are read back as decodeEvent returned them, without the slot token', async () => {
  const messages = [
    message({ maxTries: 3, deadline: '2026-03-02T00:00:00.000Z', payload: null, queuePolicy: { outcome: 'accepted' } }),
    message({ eventType: 'started', state: 'active', tries: 1, instanceId: 'i', workSequence: 2 ** 53 - 1 }),
    message({ eventType: 'started', attemptTraceparent: 'tp', workerVersion: '1.0', previousState: 'retry' }),
    message({ eventType: 'progress', progress: { step: 's', current: 1.5, more: { a: 1 } } }),
    message({ eventType: 'logged', logs }),
    message({ eventType: 'retry', handedBack: true, error: 'no\nstock "é🚀"', concurrency }),
    message({ eventType: 'completed', result: [1, { two: null }], actor: { kind: 'operator', id: 'ann', shift: 2 } }),
    message({ timestamp: '9999-12-31T23:59:59.999Z', deadline: '0001-01-01T00:00:00.000Z', reason: 'far' }),
    message({ context: { requestId: '', traceId: 't', traceparent: 'p', tracestate: 'a=b', tenant: 't1' } }),
    message({ maxTries: 'many', deadline: 'tomorrow', logs: [...logs, { level: 'loud' }], 'new field': { deep: [1] } }),
  ];
  await append(1, ...messages);
  const expected = messages.map((one) => {
    const decoded = decodeEvent(one);
    if (decoded.kind !== 'event') throw new Error(decoded.quarantined.reason);
    return decoded.stored;
  });
  expect(await reader.readJob({ service: 'orders', type: 'reserve', id: 'j1' }, { limit: 100 })).toEqual(expected);
});

test('a slot token is never stored, whatever else its field has', async () => {
  const slotToken = 'very-secret';
  await append(
    2,
    message({ eventType: 'started', concurrency: { ...concurrency, slotToken } }),
    message({ eventType: 'started', concurrency: { slotToken, keyHash: 7 } }),
    message({ eventType: 'started', concurrency: 'none' }),
  );
  const [first, second] = await reader.readJob({ service: 'orders', type: 'reserve', id: 'j1' }, { limit: 100 });
  expect(first?.event.concurrency).toEqual(concurrency);
  expect(second?.event.concurrency).toBeUndefined();
  const stored = await clickhouse.client.query({
    query: 'SELECT * FROM journal WHERE generation = 2',
    format: 'JSONEachRow',
  });
  const text = await stored.text();
  expect(text).toContain('keyHash');
  expect(text).not.toContain(slotToken);
});

test('a page starts after a sequence and has no other jobs, other generations or quarantined messages', async () => {
  await append(3, message({}));
  const from = sequence;
  const bad = (one: StoredMessage) => ({ ...one, data: Buffer.from('no json') });
  await append(4, message({}), message({ jobId: 'j2' }), bad(message({})), message({}), message({ jobType: 'ship' }));
  const sequences = async (options: { after?: number; limit: number }) =>
    (await reader.readJob({ service: 'orders', type: 'reserve', id: 'j1' }, options)).map((one) => one.sequence - from);
  expect(await sequences({ limit: 9 })).toEqual([1, 4]);
  expect(await sequences({ limit: 1 })).toEqual([1]);
  expect(await sequences({ limit: 1, after: from + 1 })).toEqual([4]);
  expect(await sequences({ limit: 2, after: from + 4 })).toEqual([]);
});

test('the owner of a job is the queue of its first event', async () => {
  await append(
    5,
    message({ jobId: 'j9', service: 'billing', jobType: 'refund' }),
    message({ jobId: 'j9' } satisfies Partial<LifecycleEvent>),
  );
  expect(await reader.findOwner('j9')).toEqual({ service: 'billing', type: 'refund' });
  expect(await reader.findOwner('j1')).toBeUndefined();
});

test('a query can be aborted', async () => {
  const signal = AbortSignal.abort();
  await expect(
    reader.readJob({ service: 'orders', type: 'reserve', id: 'j1' }, { limit: 1, signal }),
  ).rejects.toThrow();
});
