// One queue of a running service: create jobs, handle them, refer to them.
import {
  type JobContext,
  jobIdFilter,
  type LifecycleEvent,
  newId,
  type StoredMessage,
  type WhenFull,
} from '@trellis/contracts';
import { countMetric, failSpan } from '@trellis/instrumentation';
import type { FoldedJob, KeyIdentity } from '@trellis/lifecycle';
import type { PublishOptions } from '@trellis/nats';
import type { z } from 'zod';
import type { Handler } from './attempt/run-handler.ts';
import { createKeyed, type Submitted } from './create/admit-job.ts';
import { type CreatedEvent, createdEvent } from './create/created-event.ts';
import { type Creation, describeCreation, openCreation, traceparentOfAnother } from './create/creation-span.ts';
import { AdmissionRejected, ValidationError } from './errors.ts';
import { JobRef } from './job-ref.ts';
import type { KeyedQueue } from './keys/keyed-queue.ts';
import type { Queue } from './queue.ts';
import { QueueWorker } from './worker/worker.ts';
import { newCounts, type WorkerCounts, type WorkerScope } from './worker/worker-scope.ts';

export interface CreateOptions {
  /** Makes the creation idempotent: the same id gives the same job for as long as the stream holds it. Default a ULID. */
  id?: string | undefined;
  /** Context of the parent, used unchanged. Default: see create/job-context.ts. */
  context?: JobContext | undefined;
  /** Gives up with the outcome unknown; with an `id` the call can be repeated safely. */
  signal?: AbortSignal | undefined;
}

/** What became of a `submit`. */
export type Submission<Result> =
  | { outcome: 'accepted'; ref: JobRef<Result> }
  /** The oldest job that waited for the key was skipped for this one. */
  | { outcome: 'replaced'; ref: JobRef<Result>; replacedJobId: string }
  /** Nothing was created: `ref` is the newest job that waits for the key, or the one that runs. */
  | { outcome: 'coalesced'; ref: JobRef<Result> }
  /** Nothing was created. */
  | { outcome: 'rejected'; reason: AdmissionRejected['reason']; key: string };

interface Admitted {
  submitted: Submitted;
  /** The `traceparent` of the job that there was already, where that is not this creation's own. */
  existing: string | undefined;
}

interface Created extends Admitted {
  /** False when the job exists already. */
  stored: boolean;
}

const CREATE_TRIES = 3;
const ACCEPTED: Submitted = { kind: 'accepted' };

/** Almost always nothing was found: one shared value serves all. */
const STORED: Created = { submitted: ACCEPTED, stored: true, existing: undefined };

const storedAs = (json: string, found: StoredMessage | undefined): Created =>
  found === undefined ? STORED : { ...STORED, existing: traceparentOfAnother(eventOf(json), found) };

/** The event that we wrote. */
const eventOf = (json: string): LifecycleEvent => JSON.parse(json) as LifecycleEvent;

/** The same event for a job that replaces another one. */
function replacing({ event }: CreatedEvent, replacedJobId: string): CreatedEvent {
  const replaces: LifecycleEvent = { ...event, queuePolicy: { outcome: 'replaced', replacedJobId } };
  return { event: replaces, json: JSON.stringify(replaces) };
}

export interface HandleOptions {
  /** Between two heartbeats of the worker. */
  heartbeatIntervalMs: number;
}

export class JobQueue<Payload extends z.ZodType, Result extends z.ZodType> {
  readonly service: string;
  readonly type: string;
  readonly #queue: Queue<Payload, Result>;
  readonly #scope: Omit<WorkerScope, 'acks' | 'halt'>;
  readonly #options: HandleOptions;
  #worker: QueueWorker | undefined;

  constructor(
    scope: Omit<WorkerScope, 'acks' | 'halt' | 'queue' | 'counts'>,
    queue: Queue<Payload, Result>,
    options: HandleOptions,
  ) {
    this.service = scope.service;
    this.type = scope.jobType;
    this.#queue = queue;
    this.#scope = { ...scope, queue, counts: newCounts() };
    this.#options = options;
  }

  /**
   * Creates a job and returns when it is stored.
   * @throws {ValidationError} naming the field; also when the id belongs to another service or type
   * @throws {AdmissionRejected} when the job's key has no room, whatever the queue does when it is full
   * @throws {PublishError} when it is not known whether the job was stored
   */
  create(payload: z.input<Payload>, options: CreateOptions = {}): Promise<JobRef<z.output<Result>>> {
    return this.#submit(payload, options, 'strict', (id, submitted) => {
      if (submitted.kind === 'rejected') throw new AdmissionRejected(submitted.key, submitted.reason);
      return this.ref(id);
    });
  }

  /**
   * Creates a job, or does what the queue's `whenFull` says when its key has no room.
   * @throws as `create`, but never {AdmissionRejected}
   */
  submit(payload: z.input<Payload>, options: CreateOptions = {}): Promise<Submission<z.output<Result>>> {
    const whenFull = this.#queue.settings.queue?.whenFull ?? 'reject';
    return this.#submit(payload, options, whenFull, (id, submitted) => {
      switch (submitted.kind) {
        case 'accepted':
          return { outcome: 'accepted', ref: this.ref(id) };
        case 'replaced':
          return { outcome: 'replaced', ref: this.ref(id), replacedJobId: submitted.replacedJobId };
        case 'coalesced':
          return { outcome: 'coalesced', ref: this.ref(submitted.existingJobId) };
        case 'rejected':
          return { outcome: 'rejected', reason: submitted.reason, key: submitted.key };
      }
    });
  }

  /** A reference to a job of this queue; `wait` fails if the job does not exist. */
  ref(id: string): JobRef<z.output<Result>> {
    return new JobRef(this.#scope.stream, { id, service: this.service, type: this.type }, this.#queue.result);
  }

  /**
   * Works this queue with `handler`, from now until the service stops. A result completes the job; an error, thrown or
   * returned, means another attempt; a `NonRetryableError` fails it.
   * @throws {ConsumerConflict} when the consumer of that name serves another queue
   */
  async handle(handler: Handler<z.output<Payload>, z.input<Result>>): Promise<void> {
    if (this.#worker) throw new ValidationError(this.type, 'this queue has a handler already');
    // The schema has parsed what the handler gets, and checks what it returns.
    const worker = new QueueWorker(this.#scope, handler as Handler<unknown, unknown>, this.#options);
    this.#worker = worker;
    try {
      await worker.start();
    } catch (error) {
      this.#worker = undefined;
      throw error;
    }
  }

  /** What this process has done for the queue. */
  get counts(): Readonly<WorkerCounts> {
    return { ...this.#scope.counts };
  }

  /** @internal the running worker, for the service that owns it */
  get worker(): QueueWorker | undefined {
    return this.#worker;
  }

  /** Plain functions instead of one async function: hundreds of creations may wait, and a waiting frame is large. */
  #submit<Answer>(
    payload: z.input<Payload>,
    options: CreateOptions,
    whenFull: WhenFull | 'strict',
    answer: (id: string, submitted: Submitted) => Answer,
  ): Promise<Answer> {
    const { id = newId() } = options;
    let creation: Creation;
    try {
      creation = openCreation({ service: this.service, jobType: this.type, jobId: id }, options.context);
    } catch (error) {
      return Promise.reject(error);
    }
    const { span } = creation;
    return this.#admit(id, payload, options, whenFull, creation.context).then(
      ({ submitted, existing }) => {
        if (span) describeCreation(span, submitted, existing);
        this.#count(existing === undefined ? submitted.kind : 'duplicate');
        span?.end();
        return answer(id, submitted);
      },
      (error: unknown) => {
        this.#count('failed');
        if (span) failSpan(span, error);
        span?.end();
        throw error;
      },
    );
  }

  #count(outcome: string): void {
    countMetric('trellis.job.creates', { service: this.service, type: this.type, outcome });
  }

  #admit(
    id: string,
    payload: z.input<Payload>,
    options: CreateOptions,
    whenFull: WhenFull | 'strict',
    context: JobContext,
  ): Promise<Admitted> {
    const { stream, keyed } = this.#scope;
    try {
      const created = createdEvent({
        service: this.service,
        jobType: this.type,
        queue: this.#queue,
        jobId: id,
        payload,
        context,
        now: Date.now(),
        keyed,
        maxBytes: stream.nc.info?.max_payload,
      });
      return created instanceof Promise
        ? created.then((late) => this.#admitMade(late, options, whenFull))
        : this.#admitMade(created, options, whenFull);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #admitMade(made: CreatedEvent, options: CreateOptions, whenFull: WhenFull | 'strict'): Promise<Admitted> {
    const { keyed } = this.#scope;
    const identity = keyed?.keyOfEvent(made.event);
    return keyed === undefined || identity === undefined
      ? this.#publishCreated(made, options.signal)
      : this.#admitKeyed(keyed, identity, made, options, whenFull);
  }

  async #admitKeyed(
    keyed: KeyedQueue,
    identity: KeyIdentity,
    made: CreatedEvent,
    { id, signal }: CreateOptions,
    whenFull: WhenFull | 'strict',
  ): Promise<Admitted> {
    const { stream, instanceId } = this.#scope;
    // Creating an existing job returns that job, however full its key is.
    const own = id === undefined ? undefined : await this.#own(id);
    if (own) return { submitted: ACCEPTED, existing: own.context.traceparent };
    const { event } = made;
    let existing: string | undefined;
    const publish = async (replacedJobId: string | undefined) => {
      const published = await this.#publishCreated(
        replacedJobId === undefined ? made : replacing(made, replacedJobId),
        signal,
      );
      existing = published.existing;
      return published.stored;
    };
    const submitted = await createKeyed({ keyed, stream, identity, event, instanceId, whenFull, signal, publish });
    return { submitted, existing };
  }

  /** Keeps only the text of the event until the reply. */
  #publishCreated({ event, json }: CreatedEvent, signal: AbortSignal | undefined): Promise<Created> {
    const { jobId } = event;
    const options: PublishOptions = {
      messageId: `${this.service}.${this.type}.${jobId}:created`,
      expect: { lastSequence: 0, filter: jobIdFilter(jobId) },
      json,
    };
    if (signal) options.signal = signal;
    return this.#scope.stream
      .publish(event, options)
      .then((outcome) =>
        outcome.kind === 'stored' ? storedAs(json, outcome.found) : this.#createdBefore(json, options),
      );
  }

  /** The condition failed: the stream holds messages of that id. */
  async #createdBefore(json: string, options: PublishOptions): Promise<Created> {
    const event = eventOf(json);
    const { jobId } = event;
    for (let tries = 1; ; tries++) {
      const own = await this.#own(jobId);
      if (own) return { submitted: ACCEPTED, stored: false, existing: own.context.traceparent };
      // The earlier messages may have been purged since.
      if (tries === CREATE_TRIES)
        throw new ValidationError('id', `"${jobId}" is taken by messages that are no readable job`);
      const outcome = await this.#scope.stream.publish(event, options);
      if (outcome.kind === 'stored') return storedAs(json, outcome.found);
    }
  }

  /** The job that has the id; undefined when there is none. @throws {ValidationError} when it is not one of this queue */
  async #own(id: string): Promise<FoldedJob | undefined> {
    const { job } = await this.#scope.stream.readJob(id);
    if (job === undefined) return undefined;
    if (job.service === this.service && job.type === this.type) return job;
    throw new ValidationError('id', `"${id}" is a job of ${job.service}/${job.type} already; ids are global`);
  }
}
