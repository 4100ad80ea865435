import type { EventType, LifecycleEvent } from '@trellis/contracts';
import { startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobStream } from './job-stream.ts';
import { provision } from './provision.ts';

let nats: TestNats;
let stream: JobStream;

beforeAll(async () => {
  nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  stream = await JobStream.open(nc);
});
afterAll(() => nats.stop());

const event = (jobId: string, eventType: EventType, service = 'orders-service'): LifecycleEvent => ({
  jobId,
  service,
  jobType: 'charge',
  eventType,
  state: eventType === 'started' ? 'active' : eventType === 'retry' ? 'retry' : 'pending',
  timestamp: '2026-01-31T09:30:00.000Z',
  context: { requestId: 'r1', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
  tries: 0,
  payload: {},
});

async function store(events: LifecycleEvent[]): Promise<number[]> {
  const sequences: number[] = [];
  for (const one of events) {
    const outcome = await stream.publish(one);
    if (outcome.kind !== 'stored') throw new Error('not stored');
    sequences.push(outcome.sequence);
  }
  return sequences;
}

it('a job is read whole and in order, also events that came several times, whatever lies between', async () => {
  const kinds = ['created', 'started', 'retry', 'started', 'retry', 'started'] as const;
  const sequences: number[] = [];
  for (const kind of kinds) {
    sequences.push(...(await store([event('job-1', kind)])));
    await store([event('job-2', 'progress')]);
  }
  const { events, job, lastSequence } = await stream.readJob('job-1');
  expect(events.map(({ sequence, event }) => [sequence, event.eventType])).toEqual(
    kinds.map((kind, index) => [sequences[index], kind]),
  );
  expect(job?.state).toBe('active');
  expect(lastSequence).toBe(sequences.at(-1));
});

it('the last sequence is that of the owner, and events of others with that id are among those read', async () => {
  const [owners, others] = await store([event('job-3', 'created'), event('job-3', 'created', 'billing')]);
  const read = await stream.readJob('job-3');
  expect(read.events.map(({ sequence }) => sequence)).toEqual([owners, others]);
  expect(read).toMatchObject({ lastSequence: owners, job: { service: 'orders-service' } });
});

it('a job that was never there is no job', async () => {
  expect(await stream.readJob('job-0')).toEqual({ job: undefined, events: [], lastSequence: 0 });
});
