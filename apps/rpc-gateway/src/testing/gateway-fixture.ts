// For tests: a gateway in this process with a NATS server, a database and a projection of its own.
import { headers, type NatsConnection } from '@nats-io/transport-node';
import { loop, silentLogger } from '@trellis/async';
import { createClient, type JobsClient } from '@trellis/client';
import type { EventType, JobState, LifecycleEvent } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import type { HistoryReader } from '@trellis/store-clickhouse';
import { JobReader, migratePostgres, openPostgres, type Postgres, PresenceReader } from '@trellis/store-postgres';
import type { TraceReader } from '@trellis/store-traces';
import { freshPostgres, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { healthProbes } from '../health/health-probes.ts';
import { ProjectionProgress } from '../health/projection-progress.ts';
import { METHODS } from '../methods/index.ts';
import type { Ports } from '../rpc/method.ts';
import { serveUntilStopped } from '../rpc/serve-rpc.ts';
import { eventOf, type JobIdentity, newJob } from './job-events.ts';
import { spawnProjector } from './projector-process.ts';
import { SmallProjection } from './small-projection.ts';

export interface GatewayOptions {
  settings?: Partial<Ports['settings']>;
  natsConfig?: string;
  maxConcurrent?: number;
  maxWaiting?: number;
  clickhouseUrl?: string;
  history?: HistoryReader;
  traces?: TraceReader;
  /** Where the gateway reads; default the database that is projected into. */
  readerUrl?: string;
  /** Project with the real projector, in a process of its own; `projection` cannot be held back then. */
  realProjector?: boolean;
}

export interface RawReply {
  header: (name: string) => string;
  body: Record<string, unknown>;
}

export interface GatewayFixture extends AsyncDisposable {
  nats: TestNats;
  nc: NatsConnection;
  stream: JobStream;
  postgres: Postgres;
  reader: JobReader;
  projection: SmallProjection;
  client: JobsClient;
  ports: Ports;
  /** One request as a plain NATS client sends it. */
  request(method: string, body: unknown, carried?: Record<string, string>): Promise<RawReply>;
  /** Stores an event of a job; answers its sequence. */
  publish(job: JobIdentity, eventType: EventType, fields?: Partial<LifecycleEvent>): Promise<number>;
  /** Waits until everything that is in the stream is projected. */
  projected(): Promise<void>;
  /** Publishes the events that bring a new job into `state`. */
  jobIn(state: JobState, fields?: Partial<LifecycleEvent>): Promise<JobIdentity>;
  /** How many events of a kind the stream holds of the job. */
  eventsOf(job: JobIdentity, eventType: EventType): Promise<number>;
}

const PATHS: Record<JobState, [EventType, JobState][]> = {
  pending: [],
  active: [['started', 'active']],
  retry: [
    ['started', 'active'],
    ['retry', 'retry'],
  ],
  completed: [
    ['started', 'active'],
    ['completed', 'completed'],
  ],
  failed: [
    ['started', 'active'],
    ['failed', 'failed'],
  ],
  cancelled: [['cancelled', 'cancelled']],
  expired: [['expired', 'expired']],
  skipped: [['skipped', 'skipped']],
  stale: [
    ['started', 'active'],
    ['stale', 'stale'],
  ],
  dead: [
    ['started', 'active'],
    ['dead', 'dead'],
  ],
  dismissed: [
    ['dead', 'dead'],
    ['dismissed', 'dismissed'],
  ],
};

export async function startGateway(options: GatewayOptions = {}): Promise<GatewayFixture> {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(
    await startTestNats(options.natsConfig === undefined ? {} : { extraConfig: options.natsConfig }),
  );
  const database = stack.use(await freshPostgres());
  const postgres = openPostgres({ url: database.url, settings: { statement_timeout: '5000' } });
  stack.defer(() => postgres.close());
  await migratePostgres(postgres);
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(nc);
  let small: SmallProjection | undefined;
  if (options.realProjector) stack.use(spawnProjector({ NATS_URL: nats.url, DATABASE_URL: database.url }));
  else small = stack.use(await SmallProjection.start(stream, postgres));

  const log = silentLogger();
  const readable = options.readerUrl === undefined ? postgres : openPostgres({ url: options.readerUrl });
  if (readable !== postgres) stack.defer(() => readable.close());
  const reader = new JobReader(readable);
  const ports: Ports = {
    reader,
    presence: new PresenceReader(readable),
    stream,
    projection: new ProjectionProgress({ readPosition: () => reader.position('current'), log }),
    health: healthProbes({
      reader,
      stream,
      clickhouseUrl: options.clickhouseUrl,
      pipelinesBucket: 'JOBS_PIPELINES',
      degradedLagMs: 15_000,
      quarantineRecentMs: 3_600_000,
      presenceFreshMs: 15_000,
      janitorOverdueMs: 60_000,
    }),
    history: options.history,
    traces: options.traces,
    settings: { cancelActiveByForce: false, projectionWaitMs: 500, ...options.settings },
  };
  const stopping = new AbortController();
  const { maxConcurrent = 64, maxWaiting = 2_000 } = options;
  const serving = loop('rpc service', {
    signal: stopping.signal,
    log,
    run: (signal) => serveUntilStopped({ nc, methods: METHODS, ports, log, maxConcurrent, maxWaiting }, signal),
  });
  stack.defer(async () => {
    stopping.abort();
    await serving.done;
  });
  const client = await createClient({ connection: nc, timeoutMs: 8_000 });
  await waitFor(() => client.rpc.jobs.health().catch(() => false), { what: 'the gateway to answer' });

  const publish: GatewayFixture['publish'] = async (job, eventType, fields = {}) => {
    const outcome = await stream.publish(eventOf(job, eventType, fields));
    if (outcome.kind !== 'stored') throw new Error(`${eventType} was not stored`);
    return outcome.sequence;
  };
  const projected = async () => {
    const { lastSequence } = await stream.info();
    await waitFor(async () => (await reader.position('current')) === lastSequence, {
      what: `sequence ${lastSequence} to be projected`,
    });
  };
  return {
    nats,
    nc,
    stream,
    postgres,
    reader,
    get projection() {
      if (!small) throw new Error('the real projector projects');
      return small;
    },
    client,
    ports,
    publish,
    projected,
    async request(method, body, carried = {}) {
      const data = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body);
      const sent = headers();
      for (const [name, value] of Object.entries(carried)) sent.set(name, value);
      const reply = await nc.request(`rpc.v1.${method}`, data, { timeout: 8_000, headers: sent });
      return { header: (name) => reply.headers?.get(name) ?? '', body: reply.json() };
    },
    async jobIn(state, fields = {}) {
      const job = newJob();
      await publish(job, 'created', { payload: { order: job.id }, maxTries: 5, ...fields });
      for (const [eventType, next] of PATHS[state]) {
        const error = next === 'failed' || next === 'dead' || next === 'retry' ? { error: 'no stock' } : {};
        await publish(job, eventType, { state: next, ...error });
      }
      await projected();
      return job;
    },
    async eventsOf(job, eventType) {
      const { events } = await stream.readJob(job.id);
      return events.filter((stored) => stored.event.eventType === eventType).length;
    },
    async [Symbol.asyncDispose]() {
      await stack.disposeAsync();
    },
  };
}
