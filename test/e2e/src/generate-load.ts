// Publishes the events of many jobs to a JOBS stream, as services would: interleaved, some jobs retried, failed or
// cancelled, some messages malformed.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { type EventType, eventSubject, type JobState, type LifecycleEvent } from '@trellis/contracts';
import { ulid } from 'ulid';

interface Step {
  eventType: EventType;
  state: JobState;
  rest?: Partial<LifecycleEvent>;
}

const created: Step = {
  eventType: 'created',
  state: 'pending',
  rest: { payload: { sku: 'A-1', amount: 3 }, maxTries: 5 },
};
const started: Step = { eventType: 'started', state: 'active', rest: { tries: 1 } };
const logged: Step = {
  eventType: 'logged',
  state: 'active',
  rest: { tries: 1, logs: [{ timestamp: '2026-01-31T09:30:00.000Z', level: 'info', message: 'half way' }] },
};
const retry: Step = { eventType: 'retry', state: 'retry', rest: { tries: 1, error: 'provider is down' } };
const end = (eventType: EventType & JobState, rest: Partial<LifecycleEvent> = {}): Step => ({
  eventType,
  state: eventType,
  rest: { tries: 1, ...rest },
});

const LIVES: Step[][] = [
  [created, started, end('completed', { result: { ok: true } })],
  [created, started, logged, end('completed', { result: { ok: true } })],
  // Like older workers: the second attempt still has `tries: 1`.
  [created, started, retry, started, end('completed', { result: { ok: true } })],
  [created, started, end('failed', { error: 'broken' })],
  [created, end('cancelled')],
  [created, started],
  [created],
  [created, started, retry, started, retry, started, end('dead', { error: 'gave up' })],
];

export interface LoadOptions {
  jobs: number;
  /** One malformed message per this many events. Default: none. */
  malformedEvery?: number;
  /** Maximum number of publishes in flight. Default: 200. */
  inFlight?: number;
  /** Called with the number of messages stored so far. */
  onStored?: (stored: number) => void;
}

/** @returns the number of stored messages, and how many of them are malformed */
export async function generateLoad(
  nc: NatsConnection,
  options: LoadOptions,
): Promise<{ stored: number; malformed: number }> {
  const js = jetstream(nc);
  const { jobs, malformedEvery = 0, inFlight = 200, onStored } = options;
  let stored = 0;
  let malformed = 0;
  let next = 0;
  const store = async (subject: string, body: string) => {
    await js.publish(subject, body, { timeout: 20_000 });
    stored += 1;
    onStored?.(stored);
  };
  const lane = async () => {
    while (next < jobs) {
      const index = next++;
      const traceId = index.toString(16).padStart(32, '0');
      const requestId = ulid();
      const base = {
        jobId: ulid(),
        service: `service-${index % 3}`,
        jobType: `type-${index % 2}`,
        tries: 0,
        context: { requestId, traceId, traceparent: `00-${traceId}-${'b'.repeat(16)}-01` },
      };
      for (const step of LIVES[index % LIVES.length] ?? []) {
        const event = { ...base, ...step.rest, ...step, timestamp: new Date().toISOString() };
        await store(
          eventSubject(base.service, base.jobType, base.jobId, step.eventType),
          JSON.stringify({ ...event, rest: undefined }),
        );
      }
      if (malformedEvery > 0 && index % malformedEvery === 0) {
        malformed += 1;
        await store(eventSubject(base.service, base.jobType, base.jobId, 'progress'), `{"broken": ${index}`);
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { stored, malformed };
}
