// From the end of a handler to a stored outcome and an answered work message, in this order: a message that is answered
// first would lose its outcome with the process.
import { attemptEvent } from './attempt-event.ts';
import { refuseUnstorable } from './created-event.ts';
import { decideOutcome, type Ending, type Outcome } from './decide-outcome.ts';
import { ValidationError } from './errors.ts';
import type { HeldWork, RunningAttempt } from './held-work.ts';
import { publishDecided } from './publish-decided.ts';
import { errorText } from './wire-value.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

/** @throws {PublishError} when the host halts before the outcome is known to be stored */
export async function finishAttempt(
  scope: WorkerScope,
  held: HeldWork,
  attempt: RunningAttempt,
  ending: Ending,
): Promise<void> {
  const { backoffMs, dlq } = scope.queue.settings;
  const log = jobLog(scope, held.work.event);
  const { number, maxTries, stopped } = attempt;
  const outcome = decideOutcome({ ending, stopped, attempt: number, maxTries, backoffMs, dlq });
  if (outcome.event === undefined) {
    scope.counts.overtaken++;
    log.info({ because: stopped }, 'the job was ended by others while its handler ran');
    return held.ack();
  }
  const refused = await publishOutcome(scope, held, attempt, outcome.event);
  if (refused === undefined) {
    count(scope, outcome);
    report(scope, held, attempt, outcome);
    return answer(held, outcome);
  }
  if (ending.kind === 'returned') {
    const error = refused instanceof ValidationError ? refused.message : `result: ${errorText(refused)}`;
    return finishAttempt(scope, held, attempt, { kind: 'failed', error, retry: true });
  }
  scope.counts.faults++;
  log.error(
    { error: refused, event: outcome.event.eventType },
    'the outcome of an attempt is refused; the work comes again',
  );
  held.giveBack(held.ackWaitMs);
}

/** @returns why the event will never be stored; undefined when it is */
async function publishOutcome(
  scope: WorkerScope,
  held: HeldWork,
  attempt: RunningAttempt,
  outcome: NonNullable<Outcome['event']>,
): Promise<Error | undefined> {
  const { actor, reason } = attempt.request ?? {};
  const event = attemptEvent(scope, held.work, {
    tries: attempt.number,
    previousState: 'active',
    ...outcome,
    ...(outcome.eventType === 'cancelled' && actor ? { actor } : {}),
    ...(outcome.eventType === 'cancelled' && reason !== undefined ? { reason } : {}),
  });
  try {
    refuseUnstorable(event, 'result', scope.stream.nc.info?.max_payload);
  } catch (error) {
    if (error instanceof ValidationError) return error;
    throw error;
  }
  const log = jobLog(scope, held.work.event);
  const published = await publishDecided(scope.stream, event, { signal: scope.halt, log });
  return published.kind === 'refused' ? published.error : undefined;
}

async function answer(held: HeldWork, { answer: how }: Outcome): Promise<void> {
  if (how === 'ack') return held.ack();
  if (how === 'term') held.terminate('no attempt is left');
  else held.giveBack(how.nakMs);
}

function count({ counts }: WorkerScope, { event }: Outcome): void {
  if (event === undefined) return;
  if (event.eventType === 'retry') counts[event.handedBack ? 'handedBack' : 'retried']++;
  else if (event.eventType === 'completed' || event.eventType === 'cancelled') counts[event.eventType]++;
  else if (event.eventType === 'failed' || event.eventType === 'dead') counts[event.eventType]++;
}

function report(scope: WorkerScope, held: HeldWork, attempt: RunningAttempt, { event, answer }: Outcome): void {
  if (event === undefined) return;
  const facts = { event: event.eventType, attempt: attempt.number, error: event.error, answer };
  const log = jobLog(scope, held.work.event);
  if (event.eventType === 'dead' || event.eventType === 'failed') log.warn(facts, `the job is ${event.eventType}`);
  else if (event.eventType === 'completed') log.debug(facts, 'the job is completed');
  else log.info(facts, event.handedBack ? 'started work is given back' : `attempt ended: ${event.eventType}`);
}
