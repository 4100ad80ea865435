import { describe, expect, it } from 'vitest';
import { STOP_REASONS } from '../errors.ts';
import { decideOutcome, type Ending, type RunFacts } from './decide-outcome.ts';

const facts = (changes: Partial<RunFacts>): RunFacts => ({
  ending: { kind: 'returned', result: undefined },
  stopped: undefined,
  attempt: 1,
  maxTries: 3,
  backoffMs: [100, 200],
  dlq: true,
  ...changes,
});
const decide = (changes: Partial<RunFacts>) => decideOutcome(facts(changes));
const threw: Ending = { kind: 'failed', error: 'boom', retry: true };
const gaveUp: Ending = { kind: 'failed', error: 'no such order', retry: false };

it('a result completes the job', () => {
  expect(decide({ ending: { kind: 'returned', result: { a: 1 } } })).toEqual({
    event: { eventType: 'completed', state: 'completed', result: { a: 1 } },
    answer: 'ack',
  });
  expect(decide({}).event).toEqual({ eventType: 'completed', state: 'completed' });
});

it('an error means another attempt after the declared wait; the last wait repeats', () => {
  expect(decide({ ending: threw })).toEqual({
    event: { eventType: 'retry', state: 'retry', error: 'boom' },
    answer: { nakMs: 100 },
  });
  expect(decide({ ending: threw, attempt: 2 }).answer).toEqual({ nakMs: 200 });
  expect(decide({ ending: threw, attempt: 5, maxTries: 9 }).answer).toEqual({ nakMs: 200 });
});

it('the last attempt leads to the dead-letter queue, without one to `failed`; the work message is terminated', () => {
  const last = { ending: threw, attempt: 3 };
  expect(decide(last)).toEqual({ event: { eventType: 'dead', state: 'dead', error: 'boom' }, answer: 'term' });
  expect(decide({ ...last, dlq: false })).toEqual({
    event: { eventType: 'failed', state: 'failed', error: 'boom' },
    answer: 'term',
  });
});

it('an error that is not to be retried fails the job at once', () => {
  expect(decide({ ending: gaveUp })).toMatchObject({
    event: { eventType: 'failed', error: 'no such order' },
    answer: 'ack',
  });
});

describe.each(STOP_REASONS.filter((reason) => reason !== 'shutdown' && reason !== 'cancelRequested'))(
  'a job that was %s by others',
  (stopped) => {
    it.each<Ending>([threw, gaveUp, { kind: 'stopped' }, { kind: 'returned', result: 1 }])(
      'gets no further event, however its handler ended: %o',
      (ending) => expect(decide({ stopped, ending })).toEqual({ event: undefined, answer: 'ack' }),
    );
  },
);

it('a handler that stops for a cancellation makes the job cancelled, in any attempt', () => {
  for (const ending of [threw, gaveUp, { kind: 'stopped' } as const]) {
    expect(decide({ stopped: 'cancelRequested', ending, attempt: 3 })).toEqual({
      event: { eventType: 'cancelled', state: 'cancelled' },
      answer: 'ack',
    });
  }
});

it('a result that was quicker than the cancellation is the truth', () => {
  const ending: Ending = { kind: 'returned', result: 7 };
  expect(decide({ stopped: 'cancelRequested', ending }).event).toMatchObject({ eventType: 'completed', result: 7 });
});

it('work that a stopping host interrupts is handed back, also in the last attempt', () => {
  for (const ending of [threw, { kind: 'stopped' } as const, { kind: 'abandoned' } as const]) {
    expect(decide({ stopped: 'shutdown', ending, attempt: 3 })).toEqual({
      event: { eventType: 'retry', state: 'retry', handedBack: true },
      answer: { nakMs: 0 },
    });
  }
});

it('what a handler decides in spite of the shutdown holds', () => {
  expect(decide({ stopped: 'shutdown', ending: gaveUp }).event?.eventType).toBe('failed');
  expect(decide({ stopped: 'shutdown', ending: { kind: 'returned', result: 1 } }).event?.eventType).toBe('completed');
});
