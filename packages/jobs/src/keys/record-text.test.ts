import { type KeyRecord, type QueuedJob, readKeyRecord } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { type QueueText, queueText, textOf } from './record-text.ts';

const context = {
  requestId: 'r "1"',
  traceId: 'a'.repeat(32),
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
};
const at = '2026-01-31T09:30:00.000Z';
const job = (jobId: string): QueuedJob => ({ jobId, createdAt: at, requestId: 'r "1"', context });
const [a, b, c, d] = ['a', 'b', 'cöc', 'd'].map(job) as [QueuedJob, QueuedJob, QueuedJob, QueuedJob];

const recordOf = (queued: QueuedJob[]): KeyRecord => ({
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
});

it('the text of a record is its JSON, whatever its queue was before', () => {
  const queues = [
    [],
    [a],
    [a, b, c],
    [b, c],
    [c, d],
    [c],
    [a, c],
    [a, b, c, d],
    [b, d],
    [d, b],
    [b, c, d],
    [d],
    [],
    [d],
  ];
  let before: QueueText | undefined;
  for (const queued of queues) {
    const record = recordOf(queued);
    before = queueText(queued, before);
    expect(JSON.parse(textOf(record, before))).toEqual(record);
    expect(readKeyRecord(Buffer.from(textOf(record, before)))).toEqual({ kind: 'record', record });
  }
});

it('any two queues: the second one’s text is its own', () => {
  const all = [a, b, c, d].flatMap((one) => [
    [one],
    ...[a, b, c, d].flatMap((two) => [
      [one, two],
      [one, two, a, c],
    ]),
  ]);
  for (const first of [[], ...all]) {
    for (const second of [[], ...all]) {
      const { text } = queueText(second, queueText(first));
      expect(JSON.parse(`[${text}]`)).toEqual(second);
    }
  }
});
