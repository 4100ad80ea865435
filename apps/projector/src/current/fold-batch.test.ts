import type { EventType, LifecycleEvent } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { describe, expect, it } from 'vitest';
import { event, subjectOf } from '../testing/sample-event.ts';
import type { DecodedEvent } from './decode-batch.ts';
import { type FoldInput, foldBatch } from './fold-batch.ts';

function decoded(sequence: number, body: LifecycleEvent): DecodedEvent {
  const storedAt = new Date(Date.UTC(2026, 0, 1) + sequence).toISOString();
  const message = {
    subject: subjectOf(body),
    sequence,
    storedAt,
    data: new TextEncoder().encode(JSON.stringify(body)),
  };
  return { stored: { sequence, storedAt, event: body }, message };
}

const fold = (events: DecodedEvent[], rest: Partial<FoldInput> = {}) =>
  foldBatch({ events, known: new Map(), firstOfId: new Set(), refused: new Map(), ...rest });

const of = (sequence: number, eventType: EventType, fields?: Partial<LifecycleEvent>, id = 'J1') =>
  decoded(sequence, event(id, eventType, fields));

/** The job as it is after these events. */
function known(...events: DecodedEvent[]): Map<string, FoldedJob> {
  return new Map(fold(events).jobs);
}

describe('a batch', () => {
  it('changes each job once, from what the store has to what it is after the last event', () => {
    const before = known(of(1, 'created'));
    const { changes } = fold(
      [of(2, 'started', { tries: 1 }), of(3, 'created', {}, 'J2'), of(4, 'failed', { error: 'x' })],
      {
        known: before,
      },
    );
    expect(changes).toMatchObject([
      { before: { state: 'pending' }, job: { id: 'J1', state: 'failed', lastSequence: 4 }, restarted: false },
      { before: undefined, job: { id: 'J2', state: 'pending' }, restarted: false },
    ]);
    expect(changes[0]?.before).toBe(before.get('J1'));
  });

  it('leaves a job alone that no event changes, and tells why', () => {
    const before = known(of(1, 'created'), of(2, 'completed', { result: 1 }));
    const { changes, ignored, jobs } = fold(
      [of(3, 'progress'), of(4, 'created'), of(5, 'staleCompletionIgnored'), of(6, 'skipped')],
      { known: before },
    );
    expect(changes).toEqual([]);
    expect(ignored.map(({ why }) => why)).toEqual([
      'already-ended',
      'already-created',
      'history-only',
      'already-ended',
    ]);
    expect(jobs.get('J1')).toBe(before.get('J1'));
  });

  it('hands log lines over with their place in the stream, not within the job', () => {
    const line = (message: string) => ({ timestamp: '2026-01-01T00:00:00.000Z', level: 'info' as const, message });
    const { changes, jobs } = fold([
      of(1, 'created'),
      of(2, 'logged', { logs: [line('a'), line('b')] }),
      of(3, 'logged', { logs: [line('c')] }),
    ]);
    expect(changes[0]?.logs.map(({ sequence, line: at, entry }) => [sequence, at, entry.message])).toEqual([
      [2, 0, 'a'],
      [2, 1, 'b'],
      [3, 0, 'c'],
    ]);
    expect(changes[0]?.job.logs).toEqual([]);
    expect(jobs.get('J1')?.logs).toEqual([]);
  });

  it('has no log lines of events that changed nothing', () => {
    const logs = [{ timestamp: '2026-01-01T00:00:00.000Z', level: 'info' as const, message: 'late' }];
    const { changes } = fold([of(1, 'created'), of(2, 'failed'), of(3, 'logged', { logs })]);
    expect(changes[0]?.logs).toEqual([]);
  });

  it('comes to the same in one piece or in two', () => {
    const events = [
      of(1, 'created'),
      of(2, 'started', { tries: 1 }),
      of(3, 'retry', { error: 'x' }),
      of(4, 'started', { tries: 1 }),
    ];
    const first = fold(events.slice(0, 2));
    const second = fold(events.slice(2), { known: first.jobs });
    expect(second.jobs).toEqual(fold(events).jobs);
  });
});

describe('an id that is taken', () => {
  it('puts the events of another owner into quarantine as they came', () => {
    const theirs = of(2, 'created', { service: 'billing' });
    const { quarantined, changes } = fold([of(1, 'created'), theirs, of(3, 'started', { jobType: 'refund' })]);
    expect(quarantined).toMatchObject([
      { ...theirs.message, code: 'foreign-owner', reason: 'jobId: "J1" belongs to orders-service.charge' },
      { sequence: 3, code: 'foreign-owner' },
    ]);
    expect(changes).toMatchObject([{ job: { service: 'orders-service', type: 'charge', state: 'pending' } }]);
  });

  it('begins anew with a created that is the first of the id in the stream', () => {
    const logs = [{ timestamp: '2026-01-01T00:00:00.000Z', level: 'info' as const, message: 'old' }];
    const before = known(of(1, 'created'), of(2, 'completed', { result: 1 }));
    const { changes, quarantined } = fold([of(5, 'created', { service: 'billing', payload: 'new' })], {
      known: before,
      firstOfId: new Set([5]),
    });
    expect(quarantined).toEqual([]);
    expect(changes).toMatchObject([
      {
        before: { state: 'completed' },
        restarted: true,
        job: { service: 'billing', state: 'pending', firstSequence: 5 },
      },
    ]);
    const within = fold([of(1, 'created'), of(2, 'logged', { logs }), of(3, 'created', { payload: 'new' })], {
      firstOfId: new Set([3]),
    });
    expect(within.changes).toMatchObject([{ before: undefined, restarted: false, logs: [], job: { payload: 'new' } }]);
  });
});

describe('a created that comes a second time', () => {
  it('changes nothing, although it is the first of its id in the stream', () => {
    const first = of(1, 'created');
    const before = known(first, of(2, 'completed', { result: 1 }));
    const { changes, ignored } = fold([first], { known: before, firstOfId: new Set([1]) });
    expect(changes).toEqual([]);
    expect(ignored.map(({ why }) => why)).toEqual(['already-applied']);
  });
});

describe('an event that the store refuses', () => {
  it('goes to quarantine with the code of the store, and the others are folded without it', () => {
    const refused = new Map([[2, { storeCode: '54000', reason: 'index row too large' }]]);
    const { quarantined, changes } = fold(
      [of(1, 'created'), of(2, 'started', { tries: 9 }), of(3, 'started', { tries: 1 })],
      { refused },
    );
    expect(quarantined).toMatchObject([
      { sequence: 2, code: 'store-refused', storeCode: '54000', reason: 'index row too large' },
    ]);
    expect(changes).toMatchObject([{ job: { state: 'active', tries: 1 } }]);
  });

  it('leaves no job behind when it is the only one', () => {
    const refused = new Map([[1, { storeCode: '22003', reason: 'out of range' }]]);
    expect(fold([of(1, 'created')], { refused }).changes).toEqual([]);
  });
});
