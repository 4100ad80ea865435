// For tests: a private NATS server and Postgres database, components of the system as processes, and jobs in any state,
// created by publishing events.
import type { NatsConnection } from '@nats-io/transport-node';
import { createClient, type JobsClient } from '@trellis/client';
import type { EventType, JobState, LifecycleEvent } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { freshPostgres, startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { ulid } from 'ulid';
import { spawnComponent } from './spawn-cli.ts';

export interface RunningSystem extends AsyncDisposable {
  nats: TestNats;
  nc: NatsConnection;
  stream: JobStream;
  client: JobsClient;
  /** Starts another component, which runs until the system is disposed of. */
  start(component: string, env?: Record<string, string>): void;
  publish(id: string, eventType: EventType, fields?: Partial<LifecycleEvent>): Promise<void>;
  /** A new job of orders-service / reserve-inventory. @param shared fields of all its events */
  jobIn(state: JobState, shared?: Partial<LifecycleEvent>): Promise<string>;
  /** Waits until every event in the stream is projected. */
  projected(): Promise<void>;
}

/** An event of a job of orders-service / reserve-inventory. */
export const sampleEvent = (
  id: string,
  eventType: EventType,
  fields: Partial<LifecycleEvent> = {},
): LifecycleEvent => ({
  jobId: id,
  service: 'orders-service',
  jobType: 'reserve-inventory',
  eventType,
  state: 'active',
  timestamp: new Date().toISOString(),
  context: {
    requestId: `request-of-${id}`,
    traceId: 'ab'.repeat(16),
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  },
  tries: 1,
  ...fields,
});

/** @param components beside projector and gateway */
export async function startSystem(components: string[] = []): Promise<RunningSystem> {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(await startTestNats());
  const database = stack.use(await freshPostgres());
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(nc);
  const env = { NATS_URL: nats.url, DATABASE_URL: database.url, LOG_LEVEL: 'error' };
  stack.use(spawnComponent('projector', { ...env, PIPELINES: 'current' }));
  for (const component of ['rpc-gateway', ...components]) stack.use(spawnComponent(component, env));
  const client = await createClient({ connection: nc });
  const current = async () =>
    (await client.rpc.jobs.health()).checks.find((check) => check.name === 'pipeline-current');
  await waitFor(async () => (await current())?.status === 'healthy', {
    timeoutMs: 45_000,
    what: 'gateway and projector to be up',
  });

  const publish: RunningSystem['publish'] = async (id, eventType, fields) => {
    await stream.publish(sampleEvent(id, eventType, fields));
  };
  const projected = () =>
    waitFor(async () => (await current())?.lagEvents === 0, { what: 'everything to be projected' }).then(
      () => undefined,
    );
  return {
    nats,
    nc,
    stream,
    client,
    start: (component, more = {}) => void stack.use(spawnComponent(component, { ...env, ...more })),
    publish,
    projected,
    async jobIn(state, shared = {}) {
      const id = ulid();
      await publish(id, 'created', { state: 'pending', tries: 0, maxTries: 5, payload: { sku: 'A-1' }, ...shared });
      if (state !== 'pending') await publish(id, 'started', shared);
      if (state !== 'pending' && state !== 'active') {
        await publish(id, state, { state, error: `out of stock: ${id}`, ...shared });
      }
      return id;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
