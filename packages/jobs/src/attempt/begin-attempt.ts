// From a delivered work message to a stored `started`, or to whatever else is due: the delivery is looked at, decided,
// and the decision published on the condition that nothing has happened meanwhile (protocol: creating and running a job).
import { jobFilter } from '@trellis/contracts';
import { countMetric, recordMetric } from '@trellis/instrumentation';
import type { BegunAttempt, HeldWork } from '../delivery/delivery.ts';
import type { Work } from '../delivery/work-message.ts';
import { GO, leaveAfterEnd, passKey } from '../keys/key-gate.ts';
import { isKeyed } from '../keys/key-lease.ts';
import { type AttemptPast, beforeRerun, pastOfLook, pastOfWork } from '../telemetry/attempt-history.ts';
import { type Opened, openAttempt } from '../telemetry/attempt-span.ts';
import { jobTracer } from '../telemetry/job-tracer.ts';
import { checkWire, type MaybeLater, type WireValue } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { attemptEvent, type EventFacts } from './attempt-event.ts';
import { type Decision, decideDelivery, firstRun } from './decide-delivery.ts';
import { lookAtJob } from './job-snapshot.ts';
import { type Published, publishDecided } from './publish-outcome.ts';

export type Begun =
  | ({ kind: 'run'; payload: unknown } & BegunAttempt)
  /** The message has been answered, or no longer needs an answer. */
  | { kind: 'settled' };

const SETTLED: Begun = { kind: 'settled' };

/** @throws {PublishError} when the host halts before the outcome is known; other errors when the servers do not answer */
export async function beginAttempt(scope: WorkerScope, held: HeldWork): Promise<Begun> {
  const maxTries = held.work.event.maxTries ?? scope.queue.settings.maxDeliver;
  const read = readPayload(scope, held);
  const payload = read instanceof Promise ? await read : read;
  const began = performance.now();

  const sure = held.deliveryCount === 1 && scope.stream.features.conditionalFilter;
  let { decision, past } = sure ? unlooked(held.work) : await look(scope, held, maxTries);
  for (;;) {
    const passing = isKeyed(scope) ? passKey(scope, held, decision, payload.kind === 'ok') : GO;
    const passed = passing instanceof Promise ? await passing : passing;
    if (passed.kind === 'park') return park(scope, held, decision, passed.ms);
    if (decision.kind === 'ackUnrun' || decision.kind === 'wait') return giveUp(scope, held, decision);
    const due = dueEvent(scope, decision, payload);
    const traced = due.eventType === 'started' && jobTracer() !== undefined;
    const opened = traced ? await openSpan(scope, held, due.tries, maxTries, past) : undefined;
    if (opened) due.attemptTraceparent = opened.span.traceparent;
    const published = await publishDue(scope, held, due, decision.expected);
    if (published.kind === 'refused') throw published.error;
    if (published.kind === 'conflict') {
      ({ decision, past } = await look(scope, held, maxTries, decision.expected));
      continue;
    }
    if (decision.kind !== 'run' || payload.kind === 'refused') return settle(scope, held, due);
    if (performance.now() - began >= held.ackWaitMs && !(await isLastStart(scope, held, published.sequence))) {
      scope.counts.overtaken++;
      jobLog(scope, held.work.event).warn(
        {},
        'somebody else has taken the work over while its start was not known to be stored',
      );
      return SETTLED;
    }
    opened?.begun();
    tellStarted(scope, held, decision.attempt, past);
    const { attempt, expected: afterSequence } = decision;
    const { sequence: startedSequence } = published;
    const { span } = opened ?? {};
    return { kind: 'run', attempt, maxTries, payload: payload.parsed, afterSequence, startedSequence, span };
  }
}

const unlooked = (work: Work): { decision: Decision; past: AttemptPast } => ({
  decision: firstRun(work.origin),
  past: pastOfWork(work),
});

function publishDue(scope: WorkerScope, held: HeldWork, due: EventFacts, lastSequence: number): Promise<Published> {
  const { service, jobType, stream, halt: signal } = scope;
  const { work } = held;
  const concurrency = held.place?.facts() ?? work.event.concurrency;
  if (concurrency) due.concurrency = concurrency;
  const expect = { lastSequence, filter: jobFilter(service, jobType, work.jobId) };
  return publishDecided(stream, attemptEvent(scope, work, due), { expect, signal, log: jobLog(scope, work.event) });
}

function tellStarted(scope: WorkerScope, held: HeldWork, attempt: number, { readyAt }: AttemptPast): void {
  const { service, jobType: type } = scope;
  scope.counts.started++;
  recordMetric('trellis.job.wait.duration', { service, type }, Math.max(0, Date.now() - readyAt) / 1_000);
  jobLog(scope, held.work.event).debug({ attempt }, 'attempt started');
}

function park(scope: WorkerScope, held: HeldWork, decision: Decision, waitMs: number): Begun {
  const { service, jobType: type } = scope;
  scope.counts.parked++;
  countMetric('trellis.job.parked', { service, type });
  const facts = { decision: decision.kind, waitMs, key: held.key?.key };
  jobLog(scope, held.work.event).debug(facts, 'work waits for its key');
  held.giveBack(waitMs);
  return SETTLED;
}

function giveUp(
  scope: WorkerScope,
  held: HeldWork,
  decision: Extract<Decision, { kind: 'ackUnrun' } | { kind: 'wait' }>,
): Begun {
  const log = jobLog(scope, held.work.event);
  if (decision.kind === 'wait') {
    scope.counts.waited++;
    log.debug({ why: decision.why, waitMs: decision.ms }, 'work waits');
    held.giveBack(decision.ms);
    return SETTLED;
  }
  scope.counts.ackedUnrun++;
  // Ended or superseded work is the way of things; work whose job the stream lost is not.
  const level = decision.why === 'gone' ? 'warn' : 'info';
  log[level]({ why: decision.why, by: decision.by, origin: held.work.origin }, 'work is not run any more');
  held.ack();
  return SETTLED;
}

/** A `retried` of other make may leave the payload out: then the job's own holds. */
function readPayload(scope: WorkerScope, held: HeldWork): MaybeLater<WireValue<unknown>> {
  const { work } = held;
  if ('payload' in work.event) return checkPayload(scope, held, work.event.payload);
  return scope.stream.readJob(work.jobId).then(({ job }) => checkPayload(scope, held, job?.payload));
}

function checkPayload({ queue, keyed }: WorkerScope, held: HeldWork, wire: unknown): MaybeLater<WireValue<unknown>> {
  if (keyed) {
    held.key ??= keyed.keyOfEvent(held.work.event);
    const key = held.key ? undefined : keyed.keyOfPayload(wire);
    if (key?.kind === 'refused') return key;
    held.key ??= key?.identity;
  }
  return checkWire(queue.payload, 'payload', wire);
}

async function look(
  scope: WorkerScope,
  held: HeldWork,
  maxTries: number,
  refusedAt?: number,
): Promise<{ decision: Decision; past: AttemptPast }> {
  const { service, jobType } = scope;
  const { origin, jobId } = held.work;
  // Work that waited for its key was delivered before without having run: who runs it is said by the key's record.
  const keyed = held.key !== undefined;
  const found = await lookAtJob(scope.stream, { service, jobType, jobId, origin });
  const decision = decideDelivery(found, {
    origin,
    deliveryCount: keyed ? Math.max(2, held.deliveryCount) : held.deliveryCount,
    refusedAt: keyed ? undefined : refusedAt,
    maxTries,
    ackWaitMs: held.ackWaitMs,
    backoffMs: scope.queue.settings.backoffMs,
    now: Date.now(),
  });
  return { decision, past: pastOfLook(found, held.work, scope.queue.settings.backoffMs) };
}

async function openSpan(
  scope: WorkerScope,
  held: HeldWork,
  attempt: number,
  maxTries: number,
  past: AttemptPast,
): Promise<Opened | undefined> {
  return openAttempt(scope, held, { attempt, maxTries, past: await beforeRerun(scope.stream, held.work, past) });
}

type Due = Exclude<Decision, { kind: 'ackUnrun' } | { kind: 'wait' }>;

function dueEvent(scope: WorkerScope, decision: Due, payload: WireValue<unknown>): EventFacts {
  const { previousState } = decision;
  switch (decision.kind) {
    case 'cancel': {
      const { actor, reason } = decision.request;
      return {
        eventType: 'cancelled',
        state: 'cancelled',
        tries: decision.tries,
        previousState,
        ...(actor ? { actor } : {}),
        ...(reason === undefined ? {} : { reason }),
      };
    }
    case 'exhausted': {
      const end = scope.queue.settings.dlq ? 'dead' : 'failed';
      return { eventType: end, state: end, tries: decision.tries, previousState, error: decision.error };
    }
    case 'run': {
      if (payload.kind === 'ok') {
        const due: EventFacts = { eventType: 'started', state: 'active', tries: decision.attempt, previousState };
        if (scope.version !== undefined) due.workerVersion = scope.version;
        return due;
      }
      const error = `${payload.field}: ${payload.problem}`;
      return { eventType: 'failed', state: 'failed', tries: decision.attempt - 1, previousState, error };
    }
  }
}

/** The job has ended without running: answer its message. */
async function settle(scope: WorkerScope, held: HeldWork, { eventType, error }: EventFacts): Promise<Begun> {
  if (eventType === 'cancelled' || eventType === 'failed' || eventType === 'dead') scope.counts[eventType]++;
  await leaveAfterEnd(scope, held);
  jobLog(scope, held.work.event).warn({ event: eventType, error }, `the job is ${eventType}, no attempt was made`);
  if (eventType === 'dead') held.terminate('no attempt is left');
  else held.ack();
  return SETTLED;
}

async function isLastStart(
  { stream, service, jobType }: WorkerScope,
  { work }: HeldWork,
  sequence: number,
): Promise<boolean> {
  const { jobId, origin } = work;
  const now = await lookAtJob(stream, { service, jobType, jobId, origin });
  return now?.last.get('started')?.sequence === sequence;
}
