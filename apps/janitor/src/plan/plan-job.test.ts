import type { EventType, LifecycleEvent, StoredEvent } from '@trellis/contracts';
import { fold } from '@trellis/lifecycle';
import { describe, expect, it } from 'vitest';
import { type JobView, judgeLost, planDeadline, planExhaustion, planRequeue, type Traces } from './plan-job.ts';

const T0 = Date.parse('2026-01-31T10:00:00.000Z');
const at = (seconds: number) => new Date(T0 + seconds * 1_000).toISOString();
const acting = { now: T0 + 100_000, instanceId: 'janitor-1' };

type Step = [EventType, Partial<LifecycleEvent>?];

/** The job of these events; the first is stored at sequence 10, each a second after the one before. */
function view(...steps: Step[]): JobView {
  const events = steps.map(
    ([eventType, fields], index): StoredEvent => ({
      sequence: 10 + index,
      storedAt: at(index),
      event: {
        jobId: 'j',
        service: 's',
        jobType: 't',
        eventType,
        state: 'pending',
        timestamp: at(index),
        context: { requestId: 'r', traceId: 't', traceparent: 'p' },
        tries: 0,
        ...(eventType === 'created' ? { payload: 1 } : {}),
        ...fields,
      },
    }),
  );
  return { job: fold(events), events };
}

describe('planDeadline', () => {
  const overdue = { deadline: at(99) };

  it('expires an open job whose deadline is over, keeping its context and its tries', () => {
    const plan = planDeadline(view(['created', overdue], ['started', { tries: 2 }]), acting);
    expect(plan).toMatchObject({
      kind: 'publish',
      event: { eventType: 'expired', state: 'expired', previousState: 'active', tries: 2, timestamp: at(100) },
    });
  });

  it.each<[string, JobView, string]>([
    ['that has ended', view(['created', overdue], ['completed']), 'ended'],
    ['whose deadline is to come', view(['created', { deadline: at(101) }]), 'not-due'],
    ['whose deadline is this very moment', view(['created', { deadline: at(100) }]), 'not-due'],
    ['without a deadline', view(['created']), 'not-due'],
    ['that the stream does not hold', { job: undefined, events: [] }, 'gone'],
  ])('leaves a job %s', (_, seen, why) => {
    expect(planDeadline(seen, acting)).toEqual({ kind: 'leave', why });
  });
});

describe('planExhaustion', () => {
  const exhaustion = (sequence: number, event: 'created' | 'retried' = 'created') => ({
    origin: { sequence, service: 's', jobType: 't', jobId: 'j', event },
    workSequence: 7,
    deliveries: 5,
  });

  it.each<[string, JobView, number, 'created' | 'retried']>([
    ['that was never seen to start', view(['created']), 10, 'created'],
    ['in its second run', view(['created'], ['failed'], ['retried']), 12, 'retried'],
    ['whose head is gone', view(['started'], ['retry']), 9, 'created'],
    // The projection ignores such a `retried`, workers run it all the same.
    ['of a `retried` that nobody should have published', view(['created'], ['retried']), 11, 'retried'],
  ])('buries a job %s', (_, seen, sequence, event) => {
    expect(planExhaustion(seen, exhaustion(sequence, event), acting)).toMatchObject({
      kind: 'publish',
      event: { eventType: 'dead', state: 'dead', workSequence: 7 },
    });
  });

  it.each<[string, JobView, number, string]>([
    ['that has ended', view(['created'], ['completed']), 10, 'ended'],
    ['that is dead already', view(['created'], ['dead']), 10, 'ended'],
    ['that was retried since', view(['created'], ['failed'], ['retried']), 10, 'superseded'],
    ['that was retried and ended since', view(['created'], ['failed'], ['retried'], ['completed']), 10, 'superseded'],
    ['whose `created` was not the first', view(['created'], ['created']), 11, 'superseded'],
    ['that the stream does not hold', { job: undefined, events: [] }, 10, 'unknown-job'],
  ])('leaves a job %s', (_, seen, sequence, why) => {
    expect(planExhaustion(seen, exhaustion(sequence), acting)).toEqual({ kind: 'leave', why });
  });
});

describe('judgeLost', () => {
  const none: Traces = { workMessage: false, worker: false, leaseExpiresAt: undefined };
  const active = view(['created'], ['started', { state: 'active' }]);
  const waiting = view(['created'], ['started'], ['retry', { state: 'retry' }]);
  const judge = (seen: JobView, traces: Partial<Traces> = {}, graceMs = 60_000) =>
    judgeLost(seen, { ...none, ...traces }, acting.now, graceMs);

  it('calls a started job lost that nothing is left of', () => {
    expect(judge(active)).toMatchObject({ kind: 'lost' });
    expect(judge(waiting)).toMatchObject({ kind: 'lost' });
  });

  it.each<[string, JobView, Partial<Traces>]>([
    ['a work message', active, { workMessage: true }],
    ['a worker', active, { worker: true }],
    ['a lease', active, { leaseExpiresAt: at(101) }],
    ['a work message of its next attempt', waiting, { workMessage: true }],
  ])('does not while there is %s', (_, seen, traces) => {
    expect(judge(seen, traces)).toEqual({ kind: 'alive', why: 'traced' });
  });

  it('takes no comfort in a worker while the job waits for its next attempt, nor in a lease that is over', () => {
    expect(judge(waiting, { worker: true })).toMatchObject({ kind: 'lost' });
    expect(judge(active, { leaseExpiresAt: at(99) })).toMatchObject({ kind: 'lost' });
  });

  it('waits for the grace after the last sign of life, whatever it was', () => {
    expect(judge(active, {}, 100_000)).toEqual({ kind: 'alive', why: 'quiet-too-short' });
    expect(judge(view(['created'], ['started'], ['logged']), {}, 98_500)).toEqual({
      kind: 'alive',
      why: 'quiet-too-short',
    });
  });

  it('is about started jobs only', () => {
    for (const seen of [view(['created']), view(['created'], ['completed']), { job: undefined, events: [] }]) {
      expect(judge(seen)).toEqual({ kind: 'alive', why: 'ended' });
    }
  });
});

describe('planRequeue', () => {
  const requeue = (...steps: Step[]) => {
    const { job, events } = view(...steps);
    if (!job) throw new Error('no job');
    return planRequeue(job, events, acting);
  };

  it('fails and retries the job with the payload, the tries allowed and the length of the deadline that it had', () => {
    const plan = requeue(
      ['created', { maxTries: 4, deadline: at(30), payload: 'first' }],
      ['failed'],
      ['retried', { payload: 'second' }],
      ['started', { tries: 1, concurrency: { key: 'k', keyHash: 'h', slotToken: 'secret', instanceId: 'w' } }],
    );
    expect(plan).toMatchObject({
      kind: 'requeue',
      failed: { eventType: 'failed', state: 'failed', previousState: 'active', tries: 1 },
      retried: {
        eventType: 'retried',
        state: 'pending',
        previousState: 'failed',
        tries: 0,
        maxTries: 4,
        payload: 'second',
        deadline: at(130),
      },
    });
    expect(plan.kind === 'requeue' && plan.retried.concurrency).toEqual({ key: 'k', keyHash: 'h' });
  });

  it('keeps a payload that is null, and knows one that is gone', () => {
    expect(requeue(['created', { payload: null }], ['started'])).toMatchObject({ retried: { payload: null } });
    expect(requeue(['started'])).toEqual({ kind: 'leave', why: 'payload-gone' });
  });

  it('buries a job that has no attempt left', () => {
    expect(requeue(['created', { maxTries: 2 }], ['started', { tries: 2 }])).toMatchObject({
      kind: 'bury',
      dead: { eventType: 'dead', state: 'dead', tries: 2 },
    });
  });
});
