// The job as its handler sees it: payload, signals, progress, logs. What the handler reports is published in order.
import type { NatsConnection } from '@nats-io/transport-node';
import { type JobContext, type LogEntry, Progress } from '@trellis/contracts';
import { contextOf } from '@trellis/instrumentation';
import { tracedConnection } from '@trellis/nats';
import { storableJson } from '../create/created-event.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { Work } from '../delivery/work-message.ts';
import { NonRetryableError, ValidationError } from '../errors.ts';
import { emitLogRecord } from '../telemetry/log-record.ts';
import { storableText } from '../values/wire-value.ts';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { attemptEvent, type EventFacts } from './attempt-event.ts';
import type { RunningAttempt } from './running-attempt.ts';

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
  /** True once the job was cancelled or ended by others (expired, dead, stale). */
  readonly cancelled: boolean;
  /** Aborts when `cancelled` becomes true; its reason is a `JobStopped`. */
  readonly signal: AbortSignal;
  /** Aborts when the host stops and the grace period is over. Throw to give the job back without using an attempt. */
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
  /** Publishes a `heartbeat` event. Rejects when it could not be stored. */
  heartbeat(): Promise<void>;
  /** An error to return: the attempt failed. With `retry: false` the job fails now. */
  fail(problem: string | Error, options?: { retry?: boolean }): Error;
}

export interface JobInHand<Payload> {
  job: ActiveJob<Payload>;
  /** Refuses further reports; resolves when the earlier ones are stored or refused. Undefined: there were none. */
  close(): Promise<unknown> | undefined;
}

/** The job as the handler of `attempt` sees it. */
export function jobInHand<Payload>(
  scope: WorkerScope,
  delivery: Delivery,
  attempt: RunningAttempt,
  payload: Payload,
): JobInHand<Payload> {
  const job = new HandledJob(scope, delivery, attempt, payload);
  return { job, close: () => HandledJob.close(job) };
}

// A class: an object literal with accessors costs ten times as much.
class HandledJob<Payload> implements ActiveJob<Payload> {
  readonly id: string;
  readonly service: string;
  readonly type: string;
  readonly payload: Payload;
  readonly context: JobContext;
  readonly attempt: number;
  readonly maxTries: number;
  readonly redeliveryCount: number;
  readonly deadline: string | undefined;
  readonly #scope: WorkerScope;
  readonly #work: Work;
  readonly #attempt: RunningAttempt;
  #underway: Set<Promise<unknown>> | undefined;
  #open = true;
  #nats: NatsConnection | undefined;

  constructor(scope: WorkerScope, delivery: Delivery, attempt: RunningAttempt, payload: Payload) {
    const { work } = delivery;
    this.#scope = scope;
    this.#work = work;
    this.#attempt = attempt;
    this.id = work.jobId;
    this.service = scope.service;
    this.type = scope.jobType;
    this.payload = payload;
    this.context = work.event.context;
    this.attempt = attempt.number;
    this.maxTries = attempt.maxTries;
    this.redeliveryCount = delivery.deliveryCount - 1;
    this.deadline = work.event.deadline;
  }

  get cancelled(): boolean {
    return this.#attempt.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get shutdown(): AbortSignal {
    return this.#attempt.shutdown;
  }

  get nats(): NatsConnection {
    const { traceparent, tracestate } = this.context;
    const parent = this.#attempt.span?.context ?? contextOf(traceparent, tracestate);
    this.#nats ??= tracedConnection(this.#scope.stream.nc, parent);
    return this.#nats;
  }

  // Bound functions, so that a handler may destructure them. Made on first use: few are used.
  get progress(): ActiveJob<Payload>['progress'] {
    return (progress) =>
      this.#scope.queue.settings.progress ? this.#tracked(this.#sayProgress(progress)) : Promise.resolve();
  }

  get log(): ActiveJob<Payload>['log'] {
    return (level, message) => this.#log(level, message);
  }

  get heartbeat(): ActiveJob<Payload>['heartbeat'] {
    return () => this.#tracked(this.#say({ eventType: 'heartbeat' }));
  }

  get fail(): ActiveJob<Payload>['fail'] {
    return (problem, { retry = true } = {}) => {
      if (!retry)
        return new NonRetryableError(typeof problem === 'string' ? problem : problem.message, { cause: problem });
      return typeof problem === 'string' ? new Error(problem) : problem;
    };
  }

  #log(level: LogEntry['level'], message: string): Promise<void> {
    const entry: LogEntry = { timestamp: new Date().toISOString(), level, message: storableText(message) };
    emitLogRecord(this.#work, this.#attempt, entry);
    if (!this.#scope.queue.settings.logs) return Promise.resolve();
    return this.#tracked(this.#say({ eventType: 'logged', logs: [entry] }));
  }

  async #say(facts: Pick<EventFacts, 'eventType' | 'progress' | 'logs'>): Promise<void> {
    const scope = this.#scope;
    if (!this.#open) throw new Error(`job ${this.id}: its handler has ended, "${facts.eventType}" comes too late`);
    const event = attemptEvent(scope, this.#work, { state: 'active', tries: this.attempt, ...facts });
    const json = storableJson(event, facts.eventType, scope.stream.nc.info?.max_payload);
    const stored = await scope.stream.publish(event, { json, signal: scope.halt });
    const attempt = this.#attempt;
    if (stored.kind === 'stored') attempt.lastSequence = Math.max(attempt.lastSequence, stored.sequence);
  }

  async #sayProgress(progress: Progress): Promise<void> {
    const checked = Progress.safeParse(progress);
    if (checked.success) return this.#say({ eventType: 'progress', progress: checked.data });
    const issue = checked.error.issues[0];
    throw new ValidationError(
      ['progress', ...(issue?.path ?? [])].map(String).join('.'),
      issue?.message ?? 'not accepted',
    );
  }

  #tracked(said: Promise<void>): Promise<void> {
    this.#underway ??= new Set();
    const underway = this.#underway;
    const quiet = said.catch((error: unknown) =>
      jobLog(this.#scope, this.#work.event).warn({ error }, 'what a handler said was not stored'),
    );
    underway.add(quiet);
    void quiet.then(() => underway.delete(quiet));
    return said;
  }

  static close(job: HandledJob<unknown>): Promise<unknown> | undefined {
    job.#open = false;
    return job.#underway && Promise.all(job.#underway);
  }
}
