import { expect, it } from 'vitest';
import { KeyConcurrency, KeyQueuePolicy, keyRecordName, readKeyRecord } from './keyed.ts';

const context = { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
const at = '2026-01-01T00:00:00.000Z';
const record = {
  version: 1,
  service: 'zendesk-sync',
  jobType: 'sync-tickets',
  key: 'zendesk:foo:tickets',
  keyHash: 'f'.repeat(64),
  maxActive: 1,
  active: [
    {
      jobId: 'a',
      slotToken: 's',
      instanceId: 'i',
      startedAt: at,
      heartbeatAt: at,
      leaseExpiresAt: at,
      tries: 1,
      context,
    },
  ],
  queued: [{ jobId: 'b', createdAt: at, requestId: 'r', context }],
  staleTakeoverCount: 0,
  updatedAt: at,
};
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

it('the defaults are those of the protocol', () => {
  expect(KeyConcurrency.parse({ key: ['k'] })).toEqual({
    key: ['k'],
    maxActive: 1,
    heartbeatIntervalMs: 30_000,
    heartbeatTtlMs: 120_000,
    stalePolicy: 'fail-stale',
  });
  expect(KeyQueuePolicy.parse({})).toEqual({ maxQueuedPerKey: 0, whenFull: 'reject' });
});

it('a record is read with fields that it does not know', () => {
  const read = readKeyRecord(bytes({ ...record, later: { x: 1 } }));
  expect(read).toEqual({ kind: 'record', record: { ...record, later: { x: 1 } } });
  expect(keyRecordName(record.service, record.jobType, record.keyHash)).toBe(
    `zendesk-sync.sync-tickets.${'f'.repeat(64)}`,
  );
});

it.each([
  ['active.0.slotToken', { ...record, active: [{ ...record.active[0], slotToken: undefined }] }],
  ['version', { ...record, version: 2 }],
  ['queued', { ...record, queued: undefined }],
])('a record with a wrong %s is unreadable, and the reason names the field', (field, value) => {
  expect(readKeyRecord(bytes(value))).toMatchObject({
    kind: 'unreadable',
    reason: expect.stringContaining(`${field}: `),
  });
});

it('what is no JSON is unreadable, never an exception', () => {
  expect(readKeyRecord(new Uint8Array([0xff, 0x00]))).toMatchObject({ kind: 'unreadable' });
});
