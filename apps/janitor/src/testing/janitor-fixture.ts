// For tests: streams and a database of their own, jobs published as services do, and a projection that is brought up to
// date when the test says so.
import type { NatsConnection } from '@nats-io/transport-node';
import { type Logger, type Loop, silentLogger } from '@trellis/async';
import { decodeEvent, type EventType, type LifecycleEvent, type StoredMessage } from '@trellis/contracts';
import { type FoldedJob, reduce } from '@trellis/lifecycle';
import { JobStream, provision } from '@trellis/nats';
import {
  CurrentStore,
  JanitorRows,
  type JobChange,
  type Lease,
  migratePostgres,
  openPostgres,
  PassLedger,
  type PassProblem,
  type Postgres,
  planWrites,
} from '@trellis/store-postgres';
import { freshPostgres, startTestNats, type TestNats } from '@trellis/test-support';
import pLimit from 'p-limit';
import { ulid } from 'ulid';
import { JanitorConfig } from '../config.ts';
import type { Counts, Duty, PassResult } from '../duties/duty.ts';
import type { JanitorPorts } from '../ports.ts';
import { KeyBuckets } from '../stream/key-buckets.ts';
import { WorkQueue } from '../stream/work-queue.ts';
import { workDuty } from '../sweep.ts';

export interface JobIdentity {
  id: string;
  service: string;
  type: string;
}

export const newJob = (service = 'orders-service', type = 'reserve-inventory'): JobIdentity => ({
  id: ulid(),
  service,
  type,
});

interface RecordedPass {
  counts: Counts;
  problems: PassProblem[];
  error: string | null;
  passes: number;
  finished_at: string | null;
  [column: string]: unknown;
}

export interface JanitorFixture extends AsyncDisposable {
  nats: TestNats;
  nc: NatsConnection;
  stream: JobStream;
  postgres: Postgres;
  /** Of the database. */
  url: string;
  rows: JanitorRows;
  work: WorkQueue;
  keys: KeyBuckets;
  /** What a duty needs; `settings` may be changed per call. */
  ports(settings?: Partial<JanitorConfig>, more?: Partial<JanitorPorts>): JanitorPorts;
  /** One pass of a duty, without the ledger. */
  pass(duty: Duty, state?: unknown): Promise<PassResult>;
  /** A replica that works duties at a short interval until the fixture is disposed of. */
  replica(instanceId: string, duties: (ports: JanitorPorts) => Duty[], settings?: Partial<JanitorConfig>): Loop[];
  /** What the ledger says of a duty. */
  recorded(duty: string): Promise<RecordedPass | undefined>;
  publish(job: JobIdentity, eventType: EventType, fields?: Partial<LifecycleEvent>): Promise<number>;
  /** Brings the projection up to a sequence, by default the end of the stream. */
  project(upTo?: number): Promise<void>;
  /** The types of a job's events, in order. */
  eventsOf(job: JobIdentity): Promise<string[]>;
  stateOf(job: JobIdentity): Promise<string | undefined>;
  rowIds(): Promise<string[]>;
}

export interface FixtureOptions {
  log?: Logger;
  natsConfig?: string;
}

export async function startFixture(options: FixtureOptions = {}): Promise<JanitorFixture> {
  const log = options.log ?? silentLogger();
  const stack = new AsyncDisposableStack();
  const nats = stack.use(
    await startTestNats(options.natsConfig === undefined ? {} : { extraConfig: options.natsConfig }),
  );
  const database = stack.use(await freshPostgres());
  const postgres = openPostgres({ url: database.url });
  stack.defer(() => postgres.close());
  await migratePostgres(postgres);
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(nc);
  const rows = new JanitorRows(postgres);
  const work = new WorkQueue(stream);
  const keys = new KeyBuckets(stream);
  const projection = new StepProjection(stream, postgres);
  const stopping = new AbortController();
  const loops: Loop[] = [];
  stack.defer(async () => {
    stopping.abort();
    await Promise.all(loops.map(({ done }) => done));
  });

  const ports: JanitorFixture['ports'] = (settings = {}, more = {}) => ({
    stream,
    rows,
    work,
    keys,
    limit: pLimit(16),
    settings: { ...JanitorConfig.parse({ databaseUrl: database.url, instanceId: 'janitor-1' }), ...settings },
    now: Date.now,
    ...more,
  });
  return {
    nats,
    nc,
    stream,
    postgres,
    url: database.url,
    rows,
    work,
    keys,
    ports,
    pass: (duty, state = {}) => duty.run({ state, signal: stopping.signal, log }),
    replica(instanceId, duties, settings = {}) {
      const ledger = new PassLedger(postgres, instanceId, 5_000);
      const started = duties(ports({ ...settings, instanceId })).map((duty) =>
        workDuty(duty, { ledger, intervalMs: 20, signal: stopping.signal, log }),
      );
      loops.push(...started);
      return started;
    },
    async recorded(duty) {
      return (await postgres.query<RecordedPass>('select * from janitor_passes where duty = $1', [duty])).rows[0];
    },
    async publish(job, eventType, fields = {}) {
      const outcome = await stream.publish(eventOf(job, eventType, fields));
      if (outcome.kind !== 'stored') throw new Error(`${eventType} was not stored`);
      return outcome.sequence;
    },
    project: (upTo) => projection.step(upTo),
    async eventsOf(job) {
      return (await stream.readJob(job.id)).events.map(({ event }) => event.eventType);
    },
    async stateOf(job) {
      const { rows } = await postgres.query<{ state: string }>('select state from jobs where id = $1', [job.id]);
      return rows[0]?.state;
    },
    async rowIds() {
      return (await postgres.query<{ id: string }>('select id from jobs order by id')).rows.map(({ id }) => id);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function eventOf(job: JobIdentity, eventType: EventType, fields: Partial<LifecycleEvent> = {}): LifecycleEvent {
  return {
    jobId: job.id,
    service: job.service,
    jobType: job.type,
    eventType,
    state: eventType === 'created' ? 'pending' : 'active',
    timestamp: new Date().toISOString(),
    context: {
      requestId: `req-${job.id}`,
      traceId: '0af7651916cd43dd8448eb211c80319c',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    tries: 0,
    ...(eventType === 'created' ? { payload: { order: job.id } } : {}),
    ...fields,
  };
}

/** The real store, given what the stream holds since the last step. */
class StepProjection {
  readonly #stream: JobStream;
  readonly #store: CurrentStore;
  #lease: Lease | undefined;
  #position = 0;

  constructor(stream: JobStream, postgres: Postgres) {
    this.#stream = stream;
    this.#store = new CurrentStore(postgres, { leaseMs: 600_000 });
  }

  async step(upTo?: number): Promise<void> {
    const info = await this.#stream.info();
    const { created } = info;
    const lastSequence = upTo ?? info.lastSequence;
    const lease = this.#lease ?? { ...(await this.#store.leases.acquire('test')), streamCreated: created };
    if (!isLease(lease)) throw new Error('the lease of the projection is not free');
    this.#lease = lease;
    const messages: StoredMessage[] = [];
    let at = await this.#stream.nextOf('trellis.jobs.>', this.#position + 1);
    while (at && at.sequence <= lastSequence) {
      messages.push(at);
      at = await this.#stream.nextOf('trellis.jobs.>', at.sequence + 1);
    }
    const events = messages.flatMap((message) => {
      const decoded = decodeEvent(message);
      return decoded.kind === 'event' ? [decoded.stored] : [];
    });
    const loaded = await this.#store.loadJobs([...new Set(events.map(({ event }) => event.jobId))]);
    const jobs = new Map<string, FoldedJob>(loaded);
    for (const stored of events) {
      const outcome = reduce(jobs.get(stored.event.jobId), stored);
      if (outcome.kind === 'applied') jobs.set(stored.event.jobId, outcome.job);
    }
    const changes: JobChange[] = [...jobs.values()]
      .filter((job) => job !== loaded.get(job.id))
      .map((job) => ({
        before: loaded.get(job.id),
        job,
        restarted: false,
        logs: events
          .filter(({ event }) => event.jobId === job.id)
          .flatMap(({ sequence, event }) => (event.logs ?? []).map((entry, line) => ({ sequence, line, entry }))),
      }));
    const outcome = await this.#store.commitBatch(lease, {
      from: this.#position,
      to: lastSequence,
      toStoredAt: undefined,
      changes: planWrites(changes),
      quarantined: [],
      released: [],
    });
    if (outcome.kind !== 'committed') throw new Error(`the projection was ${outcome.kind}`);
    this.#position = lastSequence;
  }
}

const isLease = (lease: Partial<Lease>): lease is Lease => lease.epoch !== undefined;
