import { type KeyRecord, type QueuedJob, readKeyRecord } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { textOf } from './key-records.ts';

const context = {
  requestId: 'r "1"',
  traceId: 'a'.repeat(32),
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
};
const at = '2026-01-31T09:30:00.000Z';
const job = (jobId: string): QueuedJob => ({ jobId, createdAt: at, requestId: 'r "1"', context });

it('the text of a record is its JSON, however often its entries were written before', () => {
  const entries = [job('a'), job('b'), job('c')];
  for (const queued of [[], entries.slice(0, 1), entries, entries.slice(1)]) {
    const record: KeyRecord = {
      version: 1,
      service: 's',
      jobType: 't',
      key: 'k',
      keyHash: 'f'.repeat(64),
      maxActive: 1,
      active: [],
      queued,
      staleTakeoverCount: 0,
      updatedAt: at,
    };
    expect(JSON.parse(textOf(record))).toEqual(record);
    expect(readKeyRecord(Buffer.from(textOf(record)))).toEqual({ kind: 'record', record });
  }
});
