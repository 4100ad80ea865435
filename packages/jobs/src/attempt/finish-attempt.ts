// From the end of a handler to a stored outcome and an answered delivery, in this order: answered first, a crash would lose
// the outcome.
import type { EventType } from '@trellis/contracts';
import { isEnded } from '@trellis/lifecycle';
import { storableJson } from '../create/created-event.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { type StopReason, ValidationError } from '../errors.ts';
import { holdsLease, isKeyed, type KeyedScope, releaseLease } from '../keys/key-lease.ts';
import type { KeyLease } from '../keys/lease.ts';
import { attemptEnded } from '../telemetry/attempt-ended.ts';
import { errorText, type MaybeLater } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { attemptEvent, type EventFacts } from './attempt-event.ts';
import { decideOutcome, type Ending, type Outcome } from './decide-outcome.ts';
import { type Fenced, publishFenced } from './publish-fenced.ts';
import { publishUntilKnown } from './publish-outcome.ts';
import type { RunningAttempt } from './running-attempt.ts';

/** @throws {PublishError} when the host halts before the outcome is known to be stored */
export async function finishAttempt(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  ending: Ending,
): Promise<void> {
  const { stopped } = attempt;
  const outcome = outcomeOf(scope, attempt, ending);
  if (isKeyed(scope) && delivery.lease) {
    const losing = hasLostLease(scope, delivery.lease, attempt, outcome);
    if (losing instanceof Promise ? await losing : losing) return ignoreCompletion(scope, delivery, attempt);
  }
  if (outcome.event === undefined) return overtaken(scope, delivery, attempt, stopped);
  const publishing = publishOutcome(scope, delivery, attempt, outcome.event);
  const published = publishing instanceof Promise ? await publishing : publishing;
  if (published.kind === 'overtaken') return overtaken(scope, delivery, attempt, published.by);
  if (published.kind === 'stored') {
    stored(scope, delivery, attempt, ending, outcome);
    if (isKeyed(scope)) await releaseLease(scope, delivery, outcome.event.handedBack);
    return answer(scope, delivery, outcome);
  }
  return refused(scope, delivery, attempt, ending, outcome, published.error);
}

function outcomeOf({ queue }: WorkerScope, attempt: RunningAttempt, ending: Ending): Outcome {
  const { backoffMs, dlq } = queue.settings;
  const { number, maxTries, stopped } = attempt;
  return decideOutcome({ ending, stopped, attempt: number, maxTries, backoffMs, dlq });
}

/** Reports a stored outcome: span, counts, log. */
function stored(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  ending: Ending,
  outcome: Outcome,
): void {
  if (outcome.event === undefined) return;
  const { eventType: event, error, handedBack } = outcome.event;
  const errorType = ending.kind === 'failed' ? ending.errorType : undefined;
  attemptEnded(scope, attempt, { event, error, handedBack, errorType });
  count(scope, outcome);
  report(scope, delivery, attempt, outcome);
}

/** The server refuses the outcome for good. A refused result fails the attempt. */
async function refused(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  ending: Ending,
  outcome: Outcome,
  refusal: Error,
): Promise<void> {
  if (ending.kind === 'returned') {
    const error = refusal instanceof ValidationError ? refusal.message : `result: ${errorText(refusal)}`;
    const errorType = refusal.name;
    return finishAttempt(scope, delivery, attempt, { kind: 'failed', error, retry: true, errorType });
  }
  scope.counts.faults++;
  jobLog(scope, delivery.work.event).error(
    { error: refusal, event: outcome.event?.eventType },
    'the outcome of an attempt is refused; the work comes again',
  );
  attempt.span?.lost(refusal);
  if (isKeyed(scope)) await releaseLease(scope, delivery);
  delivery.nak(delivery.ackWaitMs);
}

function publishOutcome(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  outcome: NonNullable<Outcome['event']>,
): MaybeLater<Fenced> {
  const { actor, reason } = attempt.request ?? {};
  const facts: EventFacts = { ...outcome, tries: attempt.number, previousState: 'active' };
  if (delivery.lease) facts.concurrency = delivery.lease.facts();
  if (outcome.eventType === 'cancelled' && actor) facts.actor = actor;
  if (outcome.eventType === 'cancelled' && reason !== undefined) facts.reason = reason;
  const event = attemptEvent(scope, delivery.work, facts);
  let json: string;
  try {
    json = storableJson(event, 'result', scope.stream.nc.info?.max_payload);
  } catch (error) {
    if (error instanceof ValidationError) return { kind: 'refused', error };
    throw error;
  }
  if (delivery.lease) return publishFenced(scope, attempt, event, json);
  const log = jobLog(scope, delivery.work.event);
  // Without a condition there is no conflict.
  return publishUntilKnown(scope.stream, event, { json, signal: scope.halt, log }) as Promise<Fenced>;
}

/** The job ended, or runs elsewhere, before this run could store its outcome. */
async function overtaken(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  by: EventType | StopReason | undefined,
): Promise<void> {
  if (isKeyed(scope) && delivery.lease && (by === 'started' || by === 'stale'))
    return ignoreCompletion(scope, delivery, attempt);
  scope.counts.overtaken++;
  if (by !== undefined && by !== 'shutdown') {
    attemptEnded(scope, attempt, { event: by, error: `ended by others: ${by}`, errorType: by });
  }
  jobLog(scope, delivery.work.event).info({ because: by }, 'the job was ended by others while its handler ran');
  if (isKeyed(scope)) await releaseLease(scope, delivery);
  delivery.ack();
}

/** Checked right before a terminal event: a process may have been paused for longer than its lease. */
function hasLostLease(
  scope: KeyedScope,
  lease: KeyLease,
  { stopped }: RunningAttempt,
  { event }: Outcome,
): MaybeLater<boolean> {
  if (stopped === 'stale' || lease.lost) return true;
  if (event === undefined) return false;
  const holds = holdsLease(scope, lease);
  return holds instanceof Promise ? holds.then((still) => !still) : !holds;
}

/** Lease lost: the outcome of this run is recorded and changes nothing. */
async function ignoreCompletion(scope: KeyedScope, delivery: Delivery, attempt: RunningAttempt): Promise<void> {
  const log = jobLog(scope, delivery.work.event);
  scope.counts.superseded++;
  log.warn({ attempt: attempt.number, key: delivery.key?.key }, 'lease lost; the completion is ignored');
  const event = attemptEvent(scope, delivery.work, {
    eventType: 'staleCompletionIgnored',
    state: 'stale',
    tries: attempt.number,
    reason: 'the lease of the key was taken over while the handler ran',
    ...(delivery.lease ? { concurrency: delivery.lease.facts() } : {}),
  });
  await publishUntilKnown(scope.stream, event, { signal: scope.halt, log });
  attemptEnded(scope, attempt, { event: event.eventType, error: event.reason, errorType: 'superseded' });
  delivery.lease = undefined;
  const { job } = await scope.stream.readJob(delivery.work.jobId);
  // The job's next attempt may hold the lease: that attempt answers the delivery.
  if (job === undefined || isEnded(job.state)) delivery.ack();
}

function answer({ acks }: WorkerScope, delivery: Delivery, { answer: how }: Outcome): void {
  if (how === 'ack') acks.add(delivery);
  else if (how === 'term') delivery.terminate('no attempt is left');
  else delivery.nak(how.nakMs);
}

function count({ counts }: WorkerScope, { event }: Outcome): void {
  if (event === undefined) return;
  if (event.eventType === 'retry') counts[event.handedBack ? 'handedBack' : 'retried']++;
  else if (event.eventType === 'completed' || event.eventType === 'cancelled') counts[event.eventType]++;
  else if (event.eventType === 'failed' || event.eventType === 'dead') counts[event.eventType]++;
}

function report(scope: WorkerScope, delivery: Delivery, attempt: RunningAttempt, { event, answer }: Outcome): void {
  if (event === undefined) return;
  const facts = { event: event.eventType, attempt: attempt.number, error: event.error, answer };
  const log = jobLog(scope, delivery.work.event);
  if (event.eventType === 'dead' || event.eventType === 'failed') log.warn(facts, `the job is ${event.eventType}`);
  else if (event.eventType === 'completed') log.debug(facts, 'the job is completed');
  else log.info(facts, event.handedBack ? 'started work is given back' : `attempt ended: ${event.eventType}`);
}
