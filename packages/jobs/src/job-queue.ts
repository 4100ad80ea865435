// One queue of a running service, as its author uses it: create jobs, handle them, refer to them.
import { type JobContext, jobIdFilter } from '@trellis/contracts';
import { ulid } from 'ulid';
import type { z } from 'zod';
import { createdEvent } from './created-event.ts';
import { ValidationError } from './errors.ts';
import { contextForNewJob } from './job-context.ts';
import { JobRef } from './job-ref.ts';
import type { Queue } from './queue.ts';
import type { Handler } from './run-handler.ts';
import { QueueWorker } from './worker.ts';
import { newCounts, type WorkerCounts, type WorkerScope } from './worker-scope.ts';

export interface CreateOptions {
  /** Makes the creation idempotent: the same id gives the same job for as long as the stream holds it. Default a ULID. */
  id?: string | undefined;
  /** Context of the parent, taken over as it is. Default: of the job being handled, else of the active span, else new. */
  context?: JobContext | undefined;
  /** Gives up with the outcome unknown; with an `id` the call can be repeated safely. */
  signal?: AbortSignal | undefined;
}

const CREATE_TRIES = 3;

export interface HandleOptions {
  /** Between two heartbeats of the worker. */
  heartbeatIntervalMs: number;
}

export class JobQueue<Payload extends z.ZodType, Result extends z.ZodType> {
  readonly service: string;
  readonly type: string;
  readonly #queue: Queue<Payload, Result>;
  readonly #scope: Omit<WorkerScope, 'halt'>;
  readonly #options: HandleOptions;
  #worker: QueueWorker | undefined;

  constructor(
    scope: Omit<WorkerScope, 'halt' | 'queue' | 'counts'>,
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
   * @throws {PublishError} when it is not known whether the job was stored
   */
  async create(payload: z.input<Payload>, options: CreateOptions = {}): Promise<JobRef<z.output<Result>>> {
    const { id = ulid(), signal } = options;
    const { stream } = this.#scope;
    const event = await createdEvent({
      service: this.service,
      jobType: this.type,
      queue: this.#queue,
      jobId: id,
      payload,
      context: contextForNewJob(options.context),
      now: new Date(),
      maxBytes: stream.nc.info?.max_payload,
    });
    for (let tries = 1; ; tries++) {
      const outcome = await stream.publish(event, {
        messageId: `${this.service}.${this.type}.${id}:created`,
        expect: { lastSequence: 0, filter: jobIdFilter(id) },
        ...(signal ? { signal } : {}),
      });
      if (outcome.kind === 'stored' || (await this.#isOwn(id))) return this.ref(id);
      // What was in the way may have been purged meanwhile.
      if (tries === CREATE_TRIES)
        throw new ValidationError('id', `"${id}" is taken by messages that are no readable job`);
    }
  }

  /** A reference to a job of this queue; whether it exists is seen when it is waited for. */
  ref(id: string): JobRef<z.output<Result>> {
    return new JobRef(this.#scope.stream, { id, service: this.service, type: this.type }, this.#queue.result);
  }

  /**
   * Works this queue with `handler`, from now until the service stops. A result completes the job; an error, thrown or
   * returned, means another attempt; a `NonRetryableError` fails it.
   * @throws {ConsumerConflict} when the queue's consumer belongs to somebody else
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

  /** Whether the job that has the id is one of this queue; false when there is none. */
  async #isOwn(id: string): Promise<boolean> {
    const { job } = await this.#scope.stream.readJob(id);
    if (job === undefined) return false;
    if (job.service === this.service && job.type === this.type) return true;
    throw new ValidationError('id', `"${id}" is a job of ${job.service}/${job.type} already; ids are global`);
  }
}
