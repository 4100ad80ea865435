// For tests: a NATS server, a database, and the `current` pipeline between them.

import { silentLogger } from '@trellis/async';
import type { LifecycleEvent } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { JobStream, provision } from '@trellis/nats';
import { CurrentStore, JobReader, migratePostgres, openPostgres, type Postgres } from '@trellis/store-postgres';
import { freshPostgres, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { type CurrentCounters, newCounters } from '../current/counters.ts';
import { type CurrentPipelineOptions, runCurrentPipeline } from '../current/pipeline.ts';
import { subjectOf } from './sample-event.ts';

export interface TestProjection extends AsyncDisposable {
  nats: TestNats;
  stream: JobStream;
  postgres: Postgres;
  databaseUrl: string;
  store: CurrentStore;
  /** Stores a body under a subject and answers its sequence. */
  publish(subject: string, body: unknown): Promise<number>;
  /** Stores events one after the other and answers their sequences. */
  publishEvents(...events: LifecycleEvent[]): Promise<number[]>;
  start(options?: Partial<CurrentPipelineOptions>): RunningPipeline;
  /** Resolves when the position is at the end of the stream. */
  caughtUp(): Promise<void>;
  position(): Promise<number>;
  /** The job as the projection has it. */
  job(id: string): Promise<FoldedJob | undefined>;
  rows<R extends Record<string, unknown>>(sql: string, values?: unknown[]): Promise<R[]>;
}

export interface RunningPipeline {
  readonly counters: CurrentCounters;
  /** Stops it and waits for its end; rejects when it had failed. */
  stop(): Promise<void>;
  /** Settles when it ends by itself. */
  readonly done: Promise<void>;
}

export interface TestProjectionOptions {
  leaseMs?: number;
  /** A database of a server of the test's own; default: a new one on the shared server. */
  databaseUrl?: string;
}

export async function startTestProjection(options: TestProjectionOptions = {}): Promise<TestProjection> {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(await startTestNats());
  const databaseUrl = options.databaseUrl ?? stack.use(await freshPostgres()).url;
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(nc);
  const postgres = stack.use(openPostgres({ url: databaseUrl, settings: { synchronous_commit: 'off' } }));
  await migratePostgres(postgres);
  const store = new CurrentStore(postgres, { ...(options.leaseMs !== undefined && { leaseMs: options.leaseMs }) });
  const running = new Set<RunningPipeline>();
  stack.defer(async () => {
    await Promise.allSettled([...running].map((pipeline) => pipeline.stop()));
  });
  const position = async () => {
    const { rows } = await postgres.query<{ position: number }>('select position from pipelines');
    return rows[0]?.position ?? 0;
  };
  return {
    nats,
    stream,
    postgres,
    databaseUrl,
    store,
    position,
    job: (id) => new JobReader(postgres).getJob(id),
    async publish(subject, body) {
      const data = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
      return (await stream.js.publish(subject, data)).seq;
    },
    async publishEvents(...events) {
      const sequences: number[] = [];
      for (const each of events) sequences.push((await stream.js.publish(subjectOf(each), JSON.stringify(each))).seq);
      return sequences;
    },
    start(changed = {}) {
      const controller = new AbortController();
      const counters = changed.counters ?? newCounters();
      const done = runCurrentPipeline({
        stream,
        store,
        owner: 'test',
        log: silentLogger(),
        signal: controller.signal,
        leasePollMs: 20,
        idleCheckMs: 50,
        ...changed,
        counters,
      });
      done.catch(() => undefined);
      const pipeline: RunningPipeline = {
        counters,
        done,
        stop: async () => {
          running.delete(pipeline);
          controller.abort();
          await done;
        },
      };
      running.add(pipeline);
      return pipeline;
    },
    async caughtUp() {
      const { lastSequence } = await stream.info();
      await waitFor(async () => (await position()) >= lastSequence, { what: `position ${lastSequence}` });
    },
    async rows(sql, values) {
      return (await postgres.query(sql, values)).rows as never;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
