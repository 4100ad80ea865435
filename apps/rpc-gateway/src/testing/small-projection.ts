// For tests: a projection that folds every event into the real tables as it comes, and that can be held back.
// The real one, with batches, fences and quarantine, is the projector's.
import { decodeEvent } from '@trellis/contracts';
import { type FoldedJob, reduce } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import type { Postgres, Queryable } from '@trellis/store-postgres';

export class SmallProjection implements AsyncDisposable {
  readonly #postgres: Postgres;
  readonly #jobs = new Map<string, FoldedJob>();
  #held: { promise: Promise<void>; resolve: () => void } | undefined;
  #stop: () => Promise<void> = async () => undefined;

  private constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  static async start(stream: JobStream, postgres: Postgres): Promise<SmallProjection> {
    const projection = new SmallProjection(postgres);
    const { created } = await stream.info();
    await postgres.query(
      `insert into pipelines (name, epoch, owner, lease_until, stream_created, position)
       values ('current', 1, 'test', now() + interval '1 day', $1, 0)`,
      [created],
    );
    const consumer = await stream.js.consumers.get(stream.names.jobs);
    const messages = await consumer.consume();
    const done = (async () => {
      for await (const message of messages) {
        await projection.#held?.promise;
        const data = {
          subject: message.subject,
          sequence: message.seq,
          storedAt: message.time.toISOString(),
          data: message.data,
        };
        await projection.#project(data);
      }
    })();
    projection.#stop = async () => {
      projection.resume();
      await messages.close();
      await done;
    };
    return projection;
  }

  /** From now on nothing is projected. */
  hold(): void {
    this.#held ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }

  async #project(message: Parameters<typeof decodeEvent>[0]): Promise<void> {
    const decoded = decodeEvent(message);
    await this.#postgres.transaction(async (client) => {
      if (decoded.kind === 'event') {
        const { event } = decoded.stored;
        const before = this.#jobs.get(event.jobId);
        const outcome = reduce(before, decoded.stored);
        if (outcome.kind === 'applied') {
          this.#jobs.set(event.jobId, outcome.job);
          await writeJob(client, before, outcome.job);
          for (const [line, log] of (event.logs ?? []).entries()) {
            await client.query('insert into job_logs values ($1, $2, $3, $4, $5, $6)', [
              event.jobId,
              message.sequence,
              line,
              log.timestamp,
              log.level,
              log.message,
            ]);
          }
        }
      }
      await client.query(`update pipelines set position = $1, position_stored_at = $2 where name = 'current'`, [
        message.sequence,
        message.storedAt,
      ]);
    });
  }
}

/** Writes the row of a job and keeps the counters right. */
export async function writeJob(client: Queryable, before: FoldedJob | undefined, job: FoldedJob): Promise<void> {
  if (before)
    await client.query(
      'update job_counts set count = count - 1 where (service, type, state) = ($1, $2, $3)',
      ownerOf(before),
    );
  await writeJobs(client, [job]);
}

const ownerOf = (job: FoldedJob) => [job.service, job.type, job.state];

/** Writes rows of jobs, adding each to the counters. */
export async function writeJobs(client: Queryable, jobs: FoldedJob[]): Promise<void> {
  const rows = JSON.stringify(jobs.map(rowOf));
  await client.query('delete from jobs where id = any ($1)', [jobs.map((job) => job.id)]);
  await client.query('insert into jobs select * from jsonb_populate_recordset(null::jobs, $1::jsonb)', [rows]);
  await client.query(
    `insert into job_counts
     select service, type, state, count(*) from jsonb_populate_recordset(null::jobs, $1::jsonb) group by 1, 2, 3
     on conflict (service, type, state) do update set count = job_counts.count + excluded.count`,
    [rows],
  );
  await client.query('delete from job_errors');
  await client.query(
    `insert into job_errors
     select md5(last_error)::uuid, lower(last_error), count(*) from jobs where last_error is not null group by last_error`,
  );
}

const rowOf = (job: FoldedJob) => ({
  id: job.id,
  service: job.service,
  type: job.type,
  state: job.state,
  tries: job.tries,
  max_tries: job.maxTries,
  request_id: job.context.requestId,
  trace_id: job.context.traceId,
  traceparent: job.context.traceparent,
  tracestate: job.context.tracestate,
  created_at: job.createdAt,
  updated_at: job.updatedAt,
  started_at: job.startedAt,
  completed_at: job.completedAt,
  deadline: job.deadline,
  cancel_requested_at: job.cancelRequestedAt,
  last_error: job.lastError,
  instance_id: job.instanceId,
  payload: job.payload,
  payload_bytes: Buffer.byteLength(JSON.stringify(job.payload)),
  result: job.result,
  progress: job.progress,
  concurrency: job.concurrency,
  queue_policy: job.queuePolicy,
  head_missing: job.headMissing,
  handed_back: job.handedBack,
  origin_sequence: job.originSequence,
  origin_at: job.originAt,
  first_sequence: job.firstSequence,
  last_sequence: job.lastSequence,
});
