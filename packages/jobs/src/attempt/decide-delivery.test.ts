import { EVENT_TYPES, type EventType, type JobState, type LifecycleEvent, type StoredEvent } from '@trellis/contracts';
import { ENDING_EVENTS, fold, isEnded, reduce, TRANSITIONS } from '@trellis/lifecycle';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decision, type DeliveryFacts, decideDelivery, firstRun, type JobSnapshot } from './decide-delivery.ts';
import { snapshotFromEvents } from './job-snapshot.ts';

const NOW = Date.parse('2026-01-31T12:00:00.000Z');
const at = (msAgo: number) => new Date(NOW - msAgo).toISOString();

const event = (eventType: EventType, changes: Partial<LifecycleEvent> = {}): LifecycleEvent => ({
  jobId: 'j1',
  service: 's',
  jobType: 't',
  eventType,
  state: 'pending',
  timestamp: at(3_600_000),
  context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 0,
  ...changes,
});

type History = [sequence: number, type: EventType, changes?: Partial<LifecycleEvent>][];

const lookAt = (history: History, originSequence: number): JobSnapshot | undefined => {
  const events = history.map(([sequence, type, changes]): StoredEvent => {
    return { sequence, storedAt: at(0), event: event(type, changes) };
  });
  if (events.length === 0) return undefined;
  const job = {
    service: 's',
    jobType: 't',
    jobId: 'j1',
    origin: { sequence: originSequence, event: 'created' as const },
  };
  return snapshotFromEvents({ events }, job, Math.max(...events.map(({ sequence }) => sequence)));
};

const delivery = (changes: Partial<DeliveryFacts> = {}): DeliveryFacts => ({
  origin: { sequence: 10, event: 'created' },
  deliveryCount: 2,
  maxTries: 3,
  ackWaitMs: 30_000,
  backoffMs: [1_000, 60_000],
  now: NOW,
  ...changes,
});

const decide = (history: History, changes: Partial<DeliveryFacts> = {}): Decision => {
  const facts = delivery(changes);
  return decideDelivery(lookAt(history, facts.origin.sequence), facts);
};

it('a first delivery runs on the condition that nothing happened since its origin', () => {
  const run = { kind: 'run', attempt: 1, previousState: 'pending', expected: 10 };
  expect(firstRun({ sequence: 10, event: 'created' })).toEqual(run);
  expect(decide([[10, 'created']], { deliveryCount: 1 })).toEqual(run);
});

it('work whose job the stream no longer holds is not run', () => {
  expect(decide([])).toEqual({ kind: 'discard', why: 'gone', by: undefined });
});

describe.each(ENDING_EVENTS)('a job that is %s', (ending) => {
  it('is not run by the work message it ended', () => {
    expect(
      decide([
        [10, 'created'],
        [11, 'started', { tries: 1 }],
        [12, ending],
      ]),
    ).toMatchObject({ kind: 'discard' });
  });
  it('is not run when something was logged after the end', () => {
    const history: History = [
      [10, 'created'],
      [11, 'started', { tries: 1 }],
      [12, ending],
      [13, 'logged'],
      [14, 'progress'],
    ];
    expect(decide(history)).toEqual({ kind: 'discard', why: 'ended', by: ending });
  });
  it('is run by the work message of a later replay', () => {
    const history: History = [
      [10, 'created'],
      [11, 'started', { tries: 3 }],
      [12, ending],
      [13, 'retried'],
    ];
    const origin = { sequence: 13, event: 'retried' as const };
    expect(decide(history, { origin })).toEqual({ kind: 'run', attempt: 1, previousState: 'pending', expected: 13 });
  });
});

it('the old work message of a replayed job is superseded', () => {
  expect(
    decide([
      [10, 'created'],
      [11, 'retried'],
    ]),
  ).toMatchObject({ kind: 'discard', why: 'superseded' });
});

it('a second `created` of a job is not run, whatever became of the first', () => {
  const second = { origin: { sequence: 12, event: 'created' as const } };
  expect(
    decide(
      [
        [10, 'created'],
        [11, 'completed'],
        [12, 'created'],
      ],
      second,
    ),
  ).toMatchObject({ why: 'already-created' });
  expect(
    decide(
      [
        [10, 'created'],
        [12, 'created'],
      ],
      second,
    ),
  ).toMatchObject({ why: 'already-created' });
  expect(
    decide([
      [10, 'created'],
      [12, 'created'],
    ]),
  ).toMatchObject({ kind: 'run' });
});

it('work whose `created` has gone from the stream by age runs on', () => {
  expect(
    decide([
      [11, 'started', { tries: 1 }],
      [12, 'retry', { tries: 1 }],
    ]),
  ).toMatchObject({ kind: 'run', attempt: 2 });
});

it('a cancellation asked for after the origin is carried out, also when the worker is gone', () => {
  const request = { actor: { kind: 'operator' as const, id: 'ann' }, reason: 'wrong order' };
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 1 }],
    [12, 'cancelRequested', request],
  ];
  expect(decide(history)).toMatchObject({ kind: 'cancel', request, tries: 1, previousState: 'active', expected: 12 });
});

it('a cancellation asked for in an earlier run means nothing', () => {
  const history: History = [
    [10, 'created'],
    [11, 'cancelRequested'],
    [12, 'failed'],
    [13, 'retried'],
  ];
  expect(decide(history, { origin: { sequence: 13, event: 'retried' } })).toMatchObject({ kind: 'run', attempt: 1 });
});

it('what claims to be a first delivery of work that was started waits one ack_wait for its worker', () => {
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 1 }],
  ];
  expect(decide(history, { deliveryCount: 1 })).toEqual({ kind: 'wait', why: 'running-elsewhere', ms: 30_000 });
  expect(decide(history, { deliveryCount: 2 })).toMatchObject({ kind: 'run', attempt: 2, previousState: 'active' });
});

it('a redelivery that was outrun by another one waits for its worker; a start that it knew of is taken over', () => {
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 1 }],
    [12, 'started', { tries: 2 }],
  ];
  expect(decide(history, { refusedAt: 11 })).toMatchObject({ kind: 'wait', why: 'running-elsewhere' });
  expect(decide(history, { refusedAt: 12 })).toMatchObject({ kind: 'run', attempt: 3 });
});

it('a worker that was lost has used its attempt', () => {
  expect(
    decide([
      [10, 'created'],
      [11, 'started', { tries: 2 }],
    ]),
  ).toMatchObject({ kind: 'run', attempt: 3, expected: 11 });
});

it('a worker that was lost in the last attempt ends the job', () => {
  expect(
    decide([
      [10, 'created'],
      [11, 'started', { tries: 3 }],
    ]),
  ).toEqual({
    kind: 'exhausted',
    tries: 3,
    error: 'worker lost in the last attempt',
    previousState: 'active',
    expected: 11,
  });
});

it('a retry after the last attempt ends the job with the error of that attempt', () => {
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 3 }],
    [12, 'retry', { tries: 3, error: 'no stock' }],
  ];
  expect(decide(history)).toMatchObject({ kind: 'exhausted', error: 'no stock', previousState: 'retry' });
});

it('work that was handed back has used no attempt, also the last one', () => {
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 3 }],
    [12, 'retry', { tries: 3, handedBack: true }],
  ];
  expect(decide(history)).toMatchObject({ kind: 'run', attempt: 3, previousState: 'retry' });
  expect(decide(history, { deliveryCount: 1 })).toMatchObject({ kind: 'run', attempt: 3 });
});

it('the declared wait holds although its delayed NAK was lost', () => {
  const history = (msAgo: number): History => [
    [10, 'created'],
    [11, 'started', { tries: 2 }],
    [12, 'retry', { tries: 2, timestamp: at(msAgo) }],
  ];
  expect(decide(history(20_000))).toEqual({ kind: 'wait', why: 'backoff', ms: 40_000 });
  expect(decide(history(60_000))).toMatchObject({ kind: 'run', attempt: 3 });
  // The clock of the worker that published it runs ahead: never longer than the declared wait.
  expect(decide(history(-900_000))).toEqual({ kind: 'wait', why: 'backoff', ms: 60_000 });
});

it('the attempts of workers that always say `tries: 1` are counted', () => {
  const history: History = [
    [10, 'created'],
    [11, 'started', { tries: 1 }],
    [12, 'retry'],
    [13, 'started', { tries: 1 }],
    [14, 'retry'],
  ];
  expect(decide(history)).toMatchObject({ kind: 'run', attempt: 3 });
});

/** Random lives of a job that keep to the table of transitions, as workers of ours publish them. */
const lives = fc.array(fc.tuple(fc.constantFrom(...EVENT_TYPES), fc.boolean()), { maxLength: 25 }).map((wishes) => {
  const events: StoredEvent[] = [{ sequence: 1, storedAt: at(0), event: event('created', { instanceId: 'i' }) }];
  let job = fold(events);
  for (const [type, handedBack] of wishes) {
    const from: readonly (JobState | 'none')[] = TRANSITIONS[type].from;
    if (!job || !from.includes(job.state) || (type === 'retry' && job.state !== 'active')) continue;
    const tries: number = type === 'started' ? (job.handedBack ? job.tries : job.tries + 1) : job.tries;
    const changes = {
      tries,
      instanceId: 'i',
      ...(type === 'retry' && handedBack ? { handedBack: true as const } : {}),
    };
    const stored = { sequence: events.length + 1, storedAt: at(0), event: event(type, changes) };
    events.push(stored);
    const next = reduce(job, stored);
    if (next.kind === 'applied') job = next.job;
  }
  return events;
});

it('for any life: only the work message of the present run of an open job is run, and with the attempt that the fold expects', () => {
  fc.assert(
    fc.property(lives, fc.integer({ min: 1, max: 3 }), (events, deliveryCount) => {
      const job = fold(events);
      if (!job) throw new Error('no job');
      for (const {
        sequence,
        event: { eventType },
      } of events) {
        if (eventType !== 'created' && eventType !== 'retried') continue;
        const origin = { sequence, event: eventType };
        const look = snapshotFromEvents({ events }, { service: 's', jobType: 't', jobId: 'j1', origin }, events.length);
        const decision = decideDelivery(look, delivery({ origin, deliveryCount, maxTries: 4 }));
        const present = sequence === job.originSequence && !isEnded(job.state);
        expect(decision.kind === 'discard').toBe(!present);
        if (decision.kind === 'run') {
          expect(decision.attempt).toBe(job.handedBack ? job.tries : job.tries + 1);
          expect(decision.attempt).toBeLessThanOrEqual(4);
          expect(decision.previousState).toBe(job.state);
          expect(decision.expected).toBe(events.length);
          expect(job.cancelRequestedAt).toBeUndefined();
        }
        if (decision.kind === 'cancel') expect(job.cancelRequestedAt).toBeDefined();
        if (decision.kind === 'exhausted') expect(job.tries).toBeGreaterThanOrEqual(4);
      }
    }),
  );
});
