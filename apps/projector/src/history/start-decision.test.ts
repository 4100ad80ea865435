import { describe, expect, test } from 'vitest';
import { decideStart, journalMismatch, keptSince, type Situation } from './start-decision.ts';

const created = '2026-01-01T00:00:00.000Z';
const storedAt = '2026-01-02T00:00:00.000Z';
const tail = { kind: 'tail', from: 101, to: 150, token: '3:101-150' } as const;

const agreeing: Situation = {
  record: { streamCreated: created, generation: 3, position: 104, written: { sequence: 100, storedAt }, intent: null },
  stream: { created, lastSequence: 900 },
  writtenStoredAt: storedAt,
  journal: { generation: 3, greatestSequence: 100 },
  keptSince: undefined,
};
const situation = (record: Partial<Situation['record']>, rest: Partial<Omit<Situation, 'record'>> = {}): Situation => ({
  ...agreeing,
  ...rest,
  record: { ...agreeing.record, ...record },
});

describe('the history goes on', () => {
  test.each([
    ['where stream, record and journal agree', agreeing],
    ['when the message at its position was purged from the stream', situation({}, { writtenStoredAt: undefined })],
    ['at the very end of the stream', situation({}, { stream: { created, lastSequence: 104 } })],
    ['when a begun insert has not arrived', situation({ intent: tail })],
    [
      'when a begun insert has arrived',
      situation({ intent: tail }, { journal: { generation: 3, greatestSequence: 150 } }),
    ],
    [
      'when a begun insert has arrived in part',
      situation({ intent: tail }, { journal: { generation: 3, greatestSequence: 120 } }),
    ],
    [
      'when what was written is gone because it is older than what ClickHouse keeps',
      situation({}, { keptSince: '2026-01-03T00:00:00.000Z', journal: { generation: 3, greatestSequence: 0 } }),
    ],
    [
      'with nothing written yet',
      situation(
        { position: 0, written: { sequence: 0, storedAt: '' } },
        { writtenStoredAt: undefined, journal: { generation: 3, greatestSequence: 0 } },
      ),
    ],
  ])('%s', (_, given) => expect(decideStart(given)).toEqual({ kind: 'continue' }));
});

describe('the history begins anew', () => {
  test.each([
    ['at the first start', situation({ generation: 0 }), /first start/],
    ['when it was found that it has to', situation({ rebuild: 'a part is missing' }), /a part is missing/],
    ['when the stream was made anew', situation({ streamCreated: '2025-01-01T00:00:00.000Z' }), /created at/],
    [
      'when the stream is shorter than the history',
      situation({}, { stream: { created, lastSequence: 103 } }),
      /older copy/,
    ],
    [
      'when the stream is shorter than a begun insert',
      situation({ intent: tail }, { stream: { created, lastSequence: 149 } }),
      /older copy/,
    ],
    ['when another message is at the position', situation({}, { writtenStoredAt: created }), /older copy/],
    ['when ClickHouse was emptied', situation({}, { journal: { generation: 0, greatestSequence: 0 } }), /generation 0/],
    [
      'when ClickHouse was restored to a former history',
      situation({}, { journal: { generation: 2, greatestSequence: 0 } }),
      /generation 2/,
    ],
    [
      'when ClickHouse lacks what was written',
      situation({}, { journal: { generation: 3, greatestSequence: 0 } }),
      /lacks/,
    ],
    [
      'when ClickHouse lacks what it should have kept',
      situation({}, { keptSince: '2026-01-01T00:00:00.000Z', journal: { generation: 3, greatestSequence: 0 } }),
      /lacks/,
    ],
    ['when ClickHouse is ahead', situation({}, { journal: { generation: 3, greatestSequence: 101 } }), /beyond/],
    [
      'when ClickHouse is ahead of a begun insert',
      situation({ intent: tail }, { journal: { generation: 3, greatestSequence: 151 } }),
      /beyond/,
    ],
  ])('%s', (_, given, why) => {
    const decision = decideStart(given);
    expect(decision).toEqual({ kind: 'rebuild', why: expect.stringMatching(why) });
  });
});

test('a begun release explains no message beyond what was written', () => {
  const intent = { ...tail, kind: 'release' } as const;
  expect(journalMismatch({ written: { sequence: 100, storedAt }, intent }, 120)).toMatch(/beyond/);
});

test('what is kept since is known up to an hour, by which clocks may differ', () => {
  expect(keptSince(2, Date.parse('2026-03-03T10:00:00.000Z'))).toBe('2026-03-01T11:00:00.000Z');
  expect(keptSince(undefined, 0)).toBeUndefined();
});
