import type { EventType, LifecycleEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import type { JobSnapshot, LastEvent } from '../attempt/decide-delivery.ts';
import type { Work } from '../delivery/work-message.ts';
import { historyOfSnapshot, historyOfWork } from './attempt-history.ts';

const at = (second: number) => new Date(1_700_000_000_000 + second * 1_000).toISOString();
const since = (history: number) => (history - 1_700_000_000_000) / 1_000;

const event = (eventType: EventType, second: number, changes: Partial<LifecycleEvent> = {}): LifecycleEvent => ({
  jobId: 'j1',
  service: 's',
  jobType: 't',
  eventType,
  state: 'active',
  timestamp: at(second),
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 1,
  ...changes,
});

const work = (origin: 'created' | 'retried', sequence = 10): Work => ({
  key: `j1:${sequence}`,
  jobId: 'j1',
  origin: { sequence, event: origin },
  event: event(origin, 0),
  workSequence: 1,
});

const look = (...seen: LastEvent[]): JobSnapshot => ({
  lastSequence: 99,
  last: new Map(seen.map((one) => [one.event.eventType, one])),
  firstCreated: 10,
  tries: 2,
});

it('a first attempt was due when its work was made; only `created` says when the job was', () => {
  expect(historyOfWork(work('created'))).toMatchObject({ previous: undefined, previousLost: false });
  expect(since(historyOfWork(work('created')).dueAt)).toBe(0);
  expect(since(historyOfWork(work('created')).createdAt ?? 0)).toBe(0);
  expect(historyOfWork(work('retried')).createdAt).toBeUndefined();
});

it('an attempt after a `retry` was due then, could begin after the wait, and follows the one that gave up', () => {
  const started = { sequence: 11, event: event('started', 1, { attemptTraceparent: 'first' }) };
  const gaveUp = (changes: Partial<LifecycleEvent>) =>
    look(started, { sequence: 12, event: event('retry', 5, changes) });
  const history = historyOfSnapshot(gaveUp({}), work('created'), [30_000, 60_000]);
  expect(history).toMatchObject({ previous: 'first', previousLost: false });
  expect([since(history.dueAt), since(history.readyAt)]).toEqual([5, 65]);
  // What a host gave back when it stopped waits for nothing.
  expect(since(historyOfSnapshot(gaveUp({ handedBack: true }), work('created'), [30_000]).readyAt)).toBe(5);
});

it('an attempt without an outcome was lost, and the next one is due from its last sign of life', () => {
  const found = look(
    { sequence: 11, event: event('retry', 1) },
    { sequence: 12, event: event('started', 2, { attemptTraceparent: 'lost' }) },
    { sequence: 13, event: event('progress', 7) },
  );
  const history = historyOfSnapshot(found, work('created'), [30_000]);
  expect(history).toMatchObject({ previous: 'lost', previousLost: true });
  expect([since(history.dueAt), since(history.readyAt)]).toEqual([7, 7]);
});

it('what happened before the origin is another run’s', () => {
  const found = look({ sequence: 5, event: event('started', -9, { attemptTraceparent: 'before' }) });
  expect(historyOfSnapshot(found, work('retried'), [1])).toEqual(historyOfWork(work('retried')));
  expect(historyOfSnapshot(undefined, work('created'), [1])).toEqual(historyOfWork(work('created')));
});
