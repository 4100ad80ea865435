import { newKeyRecord } from '@trellis/lifecycle';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RecordCache } from './record-cache.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const identity = { service: 's', jobType: 't', key: 'k', keyHash: 'a'.repeat(64) };
const known = (revision: number, bytes = 1_000) => ({
  record: newKeyRecord(identity, { maxActive: 1, maxQueuedPerKey: 0 }, new Date()),
  queue: { queued: [], text: '' },
  revision,
  bytes,
});

it('what is taken is known no more until it is kept anew', () => {
  const records = new RecordCache();
  records.keep('a', known(1));
  expect(records.take('a')).toMatchObject({ revision: 1 });
  expect(records.take('a')).toBeUndefined();
});

it('a key that others change too is not known for ten seconds', () => {
  const records = new RecordCache();
  records.outdated('a');
  records.keep('a', known(1));
  expect(records.take('a')).toBeUndefined();
  vi.advanceTimersByTime(10_001);
  records.keep('a', known(2));
  expect(records.take('a')).toMatchObject({ revision: 2 });
});

it('the longest not used are forgotten when there are too many, or too large ones', () => {
  const many = new RecordCache();
  for (let n = 0; n < 6_000; n++) many.keep(`k${n}`, known(n));
  expect(many.take('k999')).toBeUndefined();
  expect(many.take('k1000')).toMatchObject({ revision: 1_000 });
  const large = new RecordCache();
  for (let n = 0; n < 40; n++) large.keep(`k${n}`, known(n, 1_024 * 1_024));
  expect(large.take('k7')).toBeUndefined();
  expect(large.take('k8')).toMatchObject({ revision: 8 });
});
