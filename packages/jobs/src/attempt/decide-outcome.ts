// The outcome of an attempt: which event is published and how the delivery is answered. Pure.
import type { LifecycleEvent } from '@trellis/contracts';
import { retryDelayMs } from '@trellis/lifecycle';
import type { StopReason } from '../errors.ts';

/** How a handler ended. */
export type Ending =
  | { kind: 'returned'; result: unknown }
  /** It returned nothing after it had read the signal that told it to stop. */
  | { kind: 'stopped' }
  | { kind: 'failed'; error: string; retry: boolean; errorType?: string }
  /** It did not end in time after the host's shutdown signal. */
  | { kind: 'abandoned' };

export interface RunFacts {
  ending: Ending;
  /** Why the handler was asked to stop, if it was. */
  stopped: StopReason | undefined;
  attempt: number;
  maxTries: number;
  backoffMs: readonly number[];
  dlq: boolean;
}

/** The event's type, its state and the fields that depend on the ending. */
type OutcomeEvent = Pick<LifecycleEvent, 'eventType' | 'state'> &
  Partial<Pick<LifecycleEvent, 'result' | 'error' | 'handedBack'>>;

export interface Outcome {
  /** Nothing is published when the job was ended by others. */
  event: OutcomeEvent | undefined;
  /** How the work message is answered once the event is stored; `{nakMs: 0}` gives it back immediately. */
  answer: 'ack' | 'term' | { nakMs: number };
}

export function decideOutcome(facts: RunFacts): Outcome {
  const { ending, stopped } = facts;
  if (stopped !== undefined && stopped !== 'cancelRequested' && stopped !== 'shutdown') {
    return { event: undefined, answer: 'ack' };
  }
  if (ending.kind === 'returned') {
    const event: OutcomeEvent = { eventType: 'completed', state: 'completed' };
    if (ending.result !== undefined) event.result = ending.result;
    return { event, answer: 'ack' };
  }
  if (stopped === 'cancelRequested') return { event: { eventType: 'cancelled', state: 'cancelled' }, answer: 'ack' };
  if (ending.kind === 'failed' && !ending.retry) return end('failed', ending.error, 'ack');
  if (ending.kind !== 'failed' || stopped === 'shutdown') {
    return { event: { eventType: 'retry', state: 'retry', handedBack: true }, answer: { nakMs: 0 } };
  }
  if (facts.attempt >= facts.maxTries) return end(facts.dlq ? 'dead' : 'failed', ending.error, 'term');
  const nakMs = retryDelayMs(facts.backoffMs, facts.attempt);
  return { event: { eventType: 'retry', state: 'retry', error: ending.error }, answer: { nakMs } };
}

const end = (state: 'failed' | 'dead', error: string, answer: 'ack' | 'term'): Outcome => ({
  event: { eventType: state, state, error },
  answer,
});
