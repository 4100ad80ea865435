// What the tests of the SDK stand on: services on a NATS server of their own, and a look at what the stream holds.
// The server and the waiting come from @trellis/test-support, which only tests may import: they hand it in.
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { silentLogger } from '@trellis/async';
import {
  type EventType,
  eventSubject,
  type LifecycleEvent,
  type StoredEvent,
  workConsumerName,
} from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { ulid } from 'ulid';
import { createService, type JobService, type Queue, type ServiceOptions } from '../index.ts';

/** Of @trellis/test-support. */
interface TestNats {
  connect(): Promise<NatsConnection>;
  stop(): Promise<void>;
}
type WaitFor = <T>(
  predicate: () => Promise<T>,
  options: { what: string; timeoutMs: number },
) => Promise<Exclude<T, false | null | undefined | 0 | ''>>;

export interface Bench {
  readonly nc: NatsConnection;
  readonly stream: JobStream;
  /** A service of a name of its own (or a further instance of `name`), stopped with the bench. */
  service<Queues extends Record<string, Queue>>(
    queues: Queues,
    options?: Partial<Omit<ServiceOptions<Queues>, 'queues'>>,
  ): Promise<JobService<Queues>>;
  /** Every event of a job in stream order. */
  events(jobId: string): Promise<StoredEvent[]>;
  /** The types of the job's events in stream order. */
  types(jobId: string): Promise<EventType[]>;
  /** Resolves with the job's first event of that type once the stream holds it. */
  event(jobId: string, type: EventType, nth?: number): Promise<StoredEvent>;
  /** Publishes an event as some other peer would, unconditionally. */
  publish(
    event: Partial<LifecycleEvent> & Pick<LifecycleEvent, 'jobId' | 'service' | 'jobType' | 'eventType'>,
  ): Promise<number>;
  /** Resolves when the work queue holds nothing of that job type. */
  workDone(service: string, type: string): Promise<void>;
  stop(): Promise<void>;
}

export const CONTEXT = {
  requestId: 'request-1',
  traceId: 'a'.repeat(32),
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
};

export const newName = (): string => `svc-${randomBytes(4).toString('hex')}`;

export async function startBench(nats: TestNats, waitFor: WaitFor): Promise<Bench> {
  const nc = await nats.connect();
  await provision(nc);
  const stream = await JobStream.open(nc);
  const services: Pick<JobService<never>, 'stop'>[] = [];
  const events = async (jobId: string) => (await stream.readJob(jobId)).events;
  return {
    nc,
    stream,
    events,
    types: async (jobId) => (await events(jobId)).map(({ event }) => event.eventType),
    event: (jobId, type, nth = 1) =>
      waitFor(async () => (await events(jobId)).filter(({ event }) => event.eventType === type)[nth - 1], {
        what: `${nth}. "${type}" of ${jobId}`,
        timeoutMs: 30_000,
      }),
    async service(queues, options = {}) {
      const connection = await nats.connect();
      const service = await createService({
        name: newName(),
        nats: connection,
        queues,
        log: silentLogger(),
        ...options,
      });
      services.push(service);
      return service;
    },
    async publish(event) {
      const body: LifecycleEvent = {
        state: 'pending',
        timestamp: new Date().toISOString(),
        context: CONTEXT,
        tries: 0,
        ...(event.eventType === 'created' ? { payload: {} } : {}),
        ...event,
      };
      const subject = eventSubject(event.service, event.jobType, event.jobId, event.eventType);
      return (await stream.js.publish(subject, JSON.stringify(body), { msgID: ulid() })).seq;
    },
    async workDone(service, type) {
      const name = workConsumerName(service, type);
      await waitFor(
        async () => {
          const info = await stream.jsm.consumers.info(stream.names.work, name);
          return info.num_pending === 0 && info.num_ack_pending === 0;
        },
        { what: `an empty work queue of ${name}`, timeoutMs: 30_000 },
      );
    },
    async stop() {
      await Promise.all(services.map((service) => service.stop({ graceMs: 0 })));
      await nats.stop();
    },
  };
}

/** A door that handlers wait at until the test opens it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
