import { type EventType, eventSubject } from '@trellis/contracts';
import { JobStream, provision } from '@trellis/nats';
import { startTestNats, type TestNats } from '@trellis/test-support';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { removeEndedJobs } from './remove-ended-jobs.ts';

let nats: TestNats;
let stream: JobStream;
beforeAll(async () => {
  nats = await startTestNats();
  const nc = await nats.connect();
  await provision(nc);
  stream = await JobStream.open(nc);
});
afterAll(() => nats.stop());
beforeEach(async () => {
  await stream.jsm.streams.purge('JOBS');
});

let count = 0;
async function job(service: string, events: EventType[]): Promise<string> {
  const jobId = `j${++count}`;
  const context = { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  for (const eventType of events) {
    const timestamp = new Date().toISOString();
    const body = {
      jobId,
      service,
      jobType: 't',
      eventType,
      state: 'pending',
      timestamp,
      context,
      tries: 0,
      payload: {},
    };
    await stream.js.publish(eventSubject(service, 't', jobId, eventType), JSON.stringify(body));
  }
  return jobId;
}
const left = async () =>
  Object.keys((await stream.jsm.streams.info('JOBS', { subjects_filter: '>' })).state.subjects ?? {});
const tomorrow = new Date(Date.now() + 86_400_000);
const signal = new AbortController().signal;
const options = { service: 'orders-service', before: tomorrow, limit: 100, signal };

it('ended jobs of the service go, with all their events; open ones and those of other services stay', async () => {
  await job('orders-service', ['created', 'started', 'logged', 'completed', 'logged']);
  const open = await job('orders-service', ['created', 'started', 'retry']);
  await job('orders-service', ['created', 'dead']);
  const other = await job('other-service', ['created', 'completed']);
  const replayed = await job('orders-service', ['created', 'failed', 'retried']);
  expect(await removeEndedJobs(stream, options)).toEqual({ removed: 2, open: 2, more: false });
  expect(new Set((await left()).map((subject) => subject.split('.')[4]))).toEqual(new Set([open, other, replayed]));
  expect(await removeEndedJobs(stream, options)).toEqual({ removed: 0, open: 2, more: false });
});

it('what is young stays', async () => {
  await job('orders-service', ['created', 'completed']);
  const done = await removeEndedJobs(stream, { ...options, before: new Date(Date.now() - 86_400_000) });
  expect(done).toEqual({ removed: 0, open: 0, more: false });
  expect(await left()).toHaveLength(2);
});

it('one pass does no more than its limit, and says that there is more', async () => {
  for (let n = 0; n < 5; n++) await job('orders-service', ['created', 'completed']);
  expect(await removeEndedJobs(stream, { ...options, limit: 3 })).toEqual({ removed: 3, open: 0, more: true });
  expect(await removeEndedJobs(stream, { ...options, limit: 3 })).toEqual({ removed: 2, open: 0, more: false });
});
