// Fills a JOBS stream with the events of finished jobs, interleaved as in a busy system.
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { eventSubject, type LifecycleEvent } from '@trellis/contracts';
import { ulid } from 'ulid';
import { orderPayload } from '../order-payload.ts';

/** Steps between the events of one job. `busy`: with three events per step a job spans at most 3,900 messages. */
export interface Spread {
  startedAfter: number;
  completedAfter: number;
}
export const BUSY: Spread = { startedAfter: 600, completedAfter: 1_300 };
/** Creates all jobs, then starts all, then completes all. */
export const fullySpread = (jobs: number): Spread => ({ startedAfter: jobs, completedAfter: 2 * jobs });

export const EVENTS_OF_A_JOB = 3;
const BATCH = 500;
const SERVICES = ['orders-service', 'billing', 'search', 'mailer'];
const TYPES = ['reserve', 'charge', 'notify'];

const hex = (length: number) => Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join('');

interface Seed {
  jobId: string;
  service: string;
  jobType: string;
  context: LifecycleEvent['context'];
}

function newJob(index: number, at: number): Seed {
  const traceId = hex(32);
  return {
    jobId: ulid(at),
    service: SERVICES[index % SERVICES.length] ?? 'orders-service',
    jobType: TYPES[index % TYPES.length] ?? 'reserve',
    context: { requestId: ulid(at), traceId, traceparent: `00-${traceId}-${hex(16)}-01` },
  };
}

/** The events of `jobs` jobs in stream order: created, started and completed of each, 200-byte payloads. */
export function* backlogEvents(jobs: number, { startedAfter, completedAfter }: Spread): Generator<LifecycleEvent> {
  const begin = Date.now() - jobs;
  const seeds: Seed[] = [];
  const event = (
    index: number,
    step: number,
    eventType: LifecycleEvent['eventType'],
    rest: Partial<LifecycleEvent>,
  ) => {
    const seed = seeds[index];
    if (!seed) throw new Error(`job ${index} is missing`);
    if (eventType === 'completed') delete seeds[index];
    return {
      ...seed,
      eventType,
      timestamp: new Date(begin + step).toISOString(),
      state: 'pending',
      tries: 0,
      ...rest,
    } as LifecycleEvent;
  };
  for (let step = 0; step < jobs + completedAfter; step++) {
    if (step < jobs) {
      seeds[step] = newJob(step, begin + step);
      yield event(step, step, 'created', { payload: orderPayload(step), maxTries: 5 });
    }
    const started = step - startedAfter;
    if (started >= 0 && started < jobs) {
      yield event(started, step, 'started', {
        state: 'active',
        previousState: 'pending',
        tries: 1,
        instanceId: 'bench-1',
      });
    }
    const completed = step - completedAfter;
    if (completed >= 0) {
      yield event(completed, step, 'completed', {
        state: 'completed',
        previousState: 'active',
        tries: 1,
        result: { ok: true },
      });
    }
  }
}

/** Publishes the backlog in atomic batches, in order. @returns the number of events */
export async function fillBacklog(nc: NatsConnection, jobs: number, spread = BUSY): Promise<number> {
  const js = jetstream(nc);
  let stored = 0;
  let batch: LifecycleEvent[] = [];
  const flush = async () => {
    const [first, ...rest] = batch.map((event) => [
      eventSubject(event.service, event.jobType, event.jobId, event.eventType),
      JSON.stringify(event),
    ]) as [string, string][];
    const last = rest.pop();
    batch = [];
    if (!first || !last) throw new Error('a batch needs at least two events');
    const open = await js.startBatch(first[0], first[1]);
    for (const [subject, body] of rest) open.add(subject, body);
    stored += (await open.commit(last[0], last[1])).count;
  };
  for (const event of backlogEvents(jobs, spread)) {
    batch.push(event);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 1) await flush();
  return stored;
}
