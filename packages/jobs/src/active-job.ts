// What a handler sees of the job in its hands, and how what it says about it reaches the stream.
import type { NatsConnection } from '@nats-io/transport-node';
import { type JobContext, type LogEntry, Progress } from '@trellis/contracts';
import { contextOf, tracedConnection } from '@trellis/runtime';
import { attemptEvent, type EventFacts } from './attempt-event.ts';
import { storableJson } from './created-event.ts';
import { NonRetryableError, ValidationError } from './errors.ts';
import type { HeldWork, RunningAttempt } from './held-work.ts';
import { emitLogRecord } from './log-record.ts';
import { storableText } from './wire-value.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

export interface ActiveJob<Payload> {
  readonly id: string;
  readonly service: string;
  readonly type: string;
  /** The payload as the queue's schema parsed it. */
  readonly payload: Payload;
  /** Trace and request that the job belongs to; jobs created by the handler inherit them. */
  readonly context: JobContext;
  /** From 1. */
  readonly attempt: number;
  readonly maxTries: number;
  /** How often the work was delivered before; says nothing about attempts. */
  readonly redeliveryCount: number;
  /** RFC 3339; undefined without a deadline. */
  readonly deadline: string | undefined;
  /** True once the job is to stop: cancelled, or ended by others (expired, dead, stale). */
  readonly cancelled: boolean;
  /** Aborts when `cancelled` becomes true; its reason is a `JobStopped`. */
  readonly signal: AbortSignal;
  /** Aborts when the host stops and the grace is over. Throw to give the work back without using an attempt. */
  readonly shutdown: AbortSignal;
  /**
   * The service's NATS connection for the handler's own calls: what is published and requested with it belongs to the
   * attempt's trace, or, in a process without OpenTelemetry, to the job's.
   */
  readonly nats: NatsConnection;
  /** Records progress. Rejects when it could not be stored. */
  progress(progress: Progress): Promise<void>;
  /**
   * Records one log line with the job, and as a log record in the attempt's trace. A queue with `logs: false` makes the log
   * record alone. Rejects when the line could not be stored.
   */
  log(level: LogEntry['level'], message: string): Promise<void>;
  /** Records a sign of life. Rejects when it could not be stored. */
  heartbeat(): Promise<void>;
  /** An error to return: the attempt failed. With `retry: false` the job fails now. */
  fail(problem: string | Error, options?: { retry?: boolean }): Error;
}

export interface JobInHand<Payload> {
  job: ActiveJob<Payload>;
  /** Refuses what is said from now on and waits until what was said before is stored or refused. */
  close(): Promise<void>;
}

/** The job as the handler of `attempt` sees it. */
export function jobInHand<Payload>(
  scope: WorkerScope,
  held: HeldWork,
  attempt: RunningAttempt,
  payload: Payload,
): JobInHand<Payload> {
  const { work } = held;
  const { settings } = scope.queue;
  const underway = new Set<Promise<unknown>>();
  let open = true;
  let nats: NatsConnection | undefined;

  const say = async (facts: Pick<EventFacts, 'eventType' | 'progress' | 'logs'>): Promise<void> => {
    if (!open) throw new Error(`job ${work.jobId}: its handler has ended, "${facts.eventType}" comes too late`);
    const event = attemptEvent(scope, work, { state: 'active', tries: attempt.number, ...facts });
    const json = storableJson(event, facts.eventType, scope.stream.nc.info?.max_payload);
    const stored = await scope.stream.publish(event, { json, signal: scope.halt });
    if (stored.kind === 'stored') attempt.lastSequence = Math.max(attempt.lastSequence, stored.sequence);
  };
  const tracked = (said: Promise<void>): Promise<void> => {
    const quiet = said.catch((error: unknown) =>
      jobLog(scope, work.event).warn({ error }, 'what a handler said was not stored'),
    );
    underway.add(quiet);
    void quiet.then(() => underway.delete(quiet));
    return said;
  };

  const job: ActiveJob<Payload> = {
    id: work.jobId,
    service: scope.service,
    type: scope.jobType,
    payload,
    context: work.event.context,
    attempt: attempt.number,
    maxTries: attempt.maxTries,
    redeliveryCount: held.deliveryCount - 1,
    deadline: work.event.deadline,
    get cancelled() {
      return attempt.signal.aborted;
    },
    get signal() {
      return attempt.signal;
    },
    get shutdown() {
      return attempt.shutdown;
    },
    get nats() {
      const { traceparent, tracestate } = work.event.context;
      nats ??= tracedConnection(scope.stream.nc, attempt.span?.context ?? contextOf(traceparent, tracestate));
      return nats;
    },
    progress: (progress) => (settings.progress ? tracked(sayProgress(progress)) : Promise.resolve()),
    log: (level, message) => {
      const entry: LogEntry = { timestamp: new Date().toISOString(), level, message: storableText(message) };
      emitLogRecord(work, attempt, entry);
      if (!settings.logs) return Promise.resolve();
      return tracked(say({ eventType: 'logged', logs: [entry] }));
    },
    heartbeat: () => tracked(say({ eventType: 'heartbeat' })),
    fail: (problem, { retry = true } = {}) => {
      if (!retry)
        return new NonRetryableError(typeof problem === 'string' ? problem : problem.message, { cause: problem });
      return typeof problem === 'string' ? new Error(problem) : problem;
    },
  };

  async function sayProgress(progress: Progress): Promise<void> {
    const checked = Progress.safeParse(progress);
    if (checked.success) return say({ eventType: 'progress', progress: checked.data });
    const issue = checked.error.issues[0];
    throw new ValidationError(
      ['progress', ...(issue?.path ?? [])].map(String).join('.'),
      issue?.message ?? 'not accepted',
    );
  }

  const close = async () => {
    open = false;
    await Promise.all(underway);
  };
  return { job, close };
}
