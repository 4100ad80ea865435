// From a delivery to a stored `started`, or to whatever else is due: reads a snapshot of the job, decides, and publishes the
// decision on the condition that nothing has happened since (docs/protocol.md#headers-and-conditions).
import { jobFilter } from '@trellis/contracts';
import { countMetric, recordMetric } from '@trellis/instrumentation';
import type { Delivery } from '../delivery/delivery.ts';
import type { Work } from '../delivery/work-message.ts';
import { GO, leaveAfterEnd, passKey } from '../keys/key-gate.ts';
import { isKeyed } from '../keys/key-lease.ts';
import { type AttemptHistory, historyOfSnapshot, historyOfWork, withEarlierRun } from '../telemetry/attempt-history.ts';
import { jobTracer } from '../telemetry/job-tracer.ts';
import { type Opened, openAttempt } from '../telemetry/open-attempt.ts';
import { checkWire, type MaybeLater, type WireValue } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { attemptEvent, type EventFacts } from './attempt-event.ts';
import { type Decision, decideDelivery, firstRun } from './decide-delivery.ts';
import { readJobSnapshot } from './job-snapshot.ts';
import { type Published, publishUntilKnown } from './publish-outcome.ts';
import type { StartedAttempt } from './running-attempt.ts';

export type Beginning =
  | ({ kind: 'run'; payload: unknown } & StartedAttempt)
  /** The delivery is answered, or needs no answer any more. */
  | { kind: 'settled' };

const SETTLED: Beginning = { kind: 'settled' };

/** @throws {PublishError} when the host halts before the outcome is known; other errors when the servers do not answer */
export async function beginAttempt(scope: WorkerScope, delivery: Delivery): Promise<Beginning> {
  const maxTries = delivery.work.event.maxTries ?? scope.queue.settings.maxDeliver;
  const read = readPayload(scope, delivery);
  const payload = read instanceof Promise ? await read : read;
  const began = performance.now();

  const sure = delivery.deliveryCount === 1 && scope.stream.features.conditionalFilter;
  let { decision, history } = sure ? firstDelivery(delivery.work) : await readAndDecide(scope, delivery, maxTries);
  for (;;) {
    const passing = isKeyed(scope) ? passKey(scope, delivery, decision, payload.kind === 'ok') : GO;
    const passed = passing instanceof Promise ? await passing : passing;
    if (passed.kind === 'park') return park(scope, delivery, decision, passed.ms);
    if (decision.kind === 'discard' || decision.kind === 'wait') return answerUnstarted(scope, delivery, decision);
    const due = dueEvent(scope, decision, payload);
    const traced = due.eventType === 'started' && jobTracer() !== undefined;
    const opened = traced ? await openSpan(scope, delivery, due.tries, maxTries, history) : undefined;
    if (opened) due.attemptTraceparent = opened.span.traceparent;
    const published = await publishDue(scope, delivery, due, decision.expected);
    if (published.kind === 'refused') throw published.error;
    if (published.kind === 'conflict') {
      ({ decision, history } = await readAndDecide(scope, delivery, maxTries, decision.expected));
      continue;
    }
    if (decision.kind !== 'run' || payload.kind === 'refused') return settle(scope, delivery, due);
    if (performance.now() - began >= delivery.ackWaitMs && !(await isLastStart(scope, delivery, published.sequence))) {
      scope.counts.overtaken++;
      jobLog(scope, delivery.work.event).warn(
        {},
        'another worker has taken the job over while it was not known whether this start was stored',
      );
      return SETTLED;
    }
    opened?.begun();
    reportStarted(scope, delivery, decision.attempt, history);
    const { attempt, expected: afterSequence } = decision;
    const { sequence: startedSequence } = published;
    const { span } = opened ?? {};
    return { kind: 'run', attempt, maxTries, payload: payload.parsed, afterSequence, startedSequence, span };
  }
}

const firstDelivery = (work: Work): { decision: Decision; history: AttemptHistory } => ({
  decision: firstRun(work.origin),
  history: historyOfWork(work),
});

function publishDue(scope: WorkerScope, delivery: Delivery, due: EventFacts, lastSequence: number): Promise<Published> {
  const { service, jobType, stream, halt: signal } = scope;
  const { work } = delivery;
  const concurrency = delivery.lease?.facts() ?? work.event.concurrency;
  if (concurrency) due.concurrency = concurrency;
  const expect = { lastSequence, filter: jobFilter(service, jobType, work.jobId) };
  return publishUntilKnown(stream, attemptEvent(scope, work, due), { expect, signal, log: jobLog(scope, work.event) });
}

function reportStarted(scope: WorkerScope, delivery: Delivery, attempt: number, { readyAt }: AttemptHistory): void {
  const { service, jobType: type } = scope;
  scope.counts.started++;
  recordMetric('trellis.job.wait.duration', { service, type }, Math.max(0, Date.now() - readyAt) / 1_000);
  jobLog(scope, delivery.work.event).debug({ attempt }, 'attempt started');
}

function park(scope: WorkerScope, delivery: Delivery, decision: Decision, waitMs: number): Beginning {
  const { service, jobType: type } = scope;
  scope.counts.parked++;
  countMetric('trellis.job.parked', { service, type });
  const facts = { decision: decision.kind, waitMs, key: delivery.key?.key };
  jobLog(scope, delivery.work.event).debug(facts, 'work waits for its key');
  delivery.nak(waitMs);
  return SETTLED;
}

function answerUnstarted(
  scope: WorkerScope,
  delivery: Delivery,
  decision: Extract<Decision, { kind: 'discard' } | { kind: 'wait' }>,
): Beginning {
  const log = jobLog(scope, delivery.work.event);
  if (decision.kind === 'wait') {
    scope.counts.waited++;
    log.debug({ why: decision.why, waitMs: decision.ms }, 'work waits');
    delivery.nak(decision.ms);
    return SETTLED;
  }
  scope.counts.discarded++;
  // Ended or superseded work is normal; work whose job is no longer in the stream is not.
  const level = decision.why === 'gone' ? 'warn' : 'info';
  log[level]({ why: decision.why, by: decision.by, origin: delivery.work.origin }, 'work is not run any more');
  delivery.ack();
  return SETTLED;
}

/** Other implementations may leave the payload out of `retried`: then the payload of the job applies. */
function readPayload(scope: WorkerScope, delivery: Delivery): MaybeLater<WireValue<unknown>> {
  const { work } = delivery;
  if ('payload' in work.event) return checkPayload(scope, delivery, work.event.payload);
  return scope.stream.readJob(work.jobId).then(({ job }) => checkPayload(scope, delivery, job?.payload));
}

function checkPayload(
  { queue, keyed }: WorkerScope,
  delivery: Delivery,
  wire: unknown,
): MaybeLater<WireValue<unknown>> {
  if (keyed) {
    delivery.key ??= keyed.keyOfEvent(delivery.work.event);
    const key = delivery.key ? undefined : keyed.keyOfPayload(wire);
    if (key?.kind === 'refused') return key;
    delivery.key ??= key?.identity;
  }
  return checkWire(queue.payload, 'payload', wire);
}

async function readAndDecide(
  scope: WorkerScope,
  delivery: Delivery,
  maxTries: number,
  refusedAt?: number,
): Promise<{ decision: Decision; history: AttemptHistory }> {
  const { service, jobType } = scope;
  const { origin, jobId } = delivery.work;
  // A job that waited for its key was delivered before without having run: the key's record says who runs it.
  const keyed = delivery.key !== undefined;
  const found = await readJobSnapshot(scope.stream, { service, jobType, jobId, origin });
  const decision = decideDelivery(found, {
    origin,
    deliveryCount: keyed ? Math.max(2, delivery.deliveryCount) : delivery.deliveryCount,
    refusedAt: keyed ? undefined : refusedAt,
    maxTries,
    ackWaitMs: delivery.ackWaitMs,
    backoffMs: scope.queue.settings.backoffMs,
    now: Date.now(),
  });
  return { decision, history: historyOfSnapshot(found, delivery.work, scope.queue.settings.backoffMs) };
}

async function openSpan(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: number,
  maxTries: number,
  history: AttemptHistory,
): Promise<Opened | undefined> {
  return openAttempt(scope, delivery, {
    attempt,
    maxTries,
    history: await withEarlierRun(scope.stream, delivery.work, history),
  });
}

type Due = Exclude<Decision, { kind: 'discard' } | { kind: 'wait' }>;

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

/** The job has ended without running: answers its delivery. */
async function settle(scope: WorkerScope, delivery: Delivery, { eventType, error }: EventFacts): Promise<Beginning> {
  if (eventType === 'cancelled' || eventType === 'failed' || eventType === 'dead') scope.counts[eventType]++;
  await leaveAfterEnd(scope, delivery);
  jobLog(scope, delivery.work.event).warn({ event: eventType, error }, `the job is ${eventType}, no attempt was made`);
  if (eventType === 'dead') delivery.terminate('no attempt is left');
  else delivery.ack();
  return SETTLED;
}

async function isLastStart(
  { stream, service, jobType }: WorkerScope,
  { work }: Delivery,
  sequence: number,
): Promise<boolean> {
  const { jobId, origin } = work;
  const now = await readJobSnapshot(stream, { service, jobType, jobId, origin });
  return now?.last.get('started')?.sequence === sequence;
}
