import type { EventType } from '@trellis/contracts';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { JobStopped, queue } from '../index.ts';
import { type Bench, gate, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({});
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** A queue whose handler waits for its signal; `stopped` tells what the signal said. */
async function waiting(end: (result: string) => unknown, options: { maxDeliver?: number } = {}) {
  const service = await bench.service({ work: queue({ payload, ...options }) });
  const stopped = Promise.withResolvers<{ reason: unknown; cancelled: boolean; types: EventType[] }>();
  await service.jobs.work.handle(async (job) => {
    await aborted(job.signal);
    stopped.resolve({ reason: job.signal.reason, cancelled: job.cancelled, types: await bench.types(job.id) });
    return end('result');
  });
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  const say = (eventType: EventType, changes = {}) =>
    bench.publish({ jobId: ref.id, service: service.name, jobType: 'work', eventType, ...changes });
  return { service, ref, stopped: stopped.promise, say };
}

describe.each<[string, () => unknown]>([
  ['returns', () => undefined],
  [
    'throws',
    () => {
      throw new Error('stopped');
    },
  ],
])('an active job is cancelled: its handler sees the signal, %s', (_, end) => {
  it('a job is cancelled only once its handler has ended', async () => {
    const { service, ref, stopped, say } = await waiting(end, { maxDeliver: 1 });
    await say('cancelRequested', { actor: { kind: 'operator', id: 'ann' }, reason: 'wrong order' });
    const seen = await stopped;
    expect(seen.reason).toBeInstanceOf(JobStopped);
    expect(seen.reason).toMatchObject({ because: 'cancelRequested', message: expect.stringContaining('wrong order') });
    expect(seen.cancelled).toBe(true);
    expect(seen.types).toEqual(['created', 'started', 'cancelRequested']);
    expect((await ref.wait()).state).toBe('cancelled');
    await bench.workDone(service.name, 'work');
    const events = await bench.events(ref.id);
    expect(events.map(({ event }) => event.eventType)).toEqual(['created', 'started', 'cancelRequested', 'cancelled']);
    expect(events[3]?.event).toMatchObject({
      actor: { id: 'ann' },
      reason: 'wrong order',
      instanceId: service.instanceId,
    });
  });
});

it('a result that was quicker than the cancellation is the truth', async () => {
  const { ref, say } = await waiting((result) => result);
  await say('cancelRequested');
  expect(await ref.wait()).toEqual({ state: 'completed', result: 'result' });
});

it('a handler that never looks at its signal has not stopped for it', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  const door = gate();
  await service.jobs.work.handle(() => door.opened);
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  await bench.publish({ jobId: ref.id, service: service.name, jobType: 'work', eventType: 'cancelRequested' });
  // A round trip of the worker's connection behind the hint.
  await service.jobs.work.worker?.recheck();
  door.open();
  expect((await ref.wait()).state).toBe('completed');
});

describe.each<[EventType]>([['cancelled'], ['expired'], ['dead'], ['stale']])(
  'an active job is %s by others',
  (ending) => {
    it('its handler is stopped and nothing more is published', async () => {
      const { service, ref, stopped, say } = await waiting(() => {
        throw new Error('stopped');
      });
      await say(ending, { error: 'too late' });
      expect((await stopped).reason).toMatchObject({ because: ending });
      await bench.workDone(service.name, 'work');
      expect(await bench.types(ref.id)).toEqual(['created', 'started', ending]);
      expect(service.jobs.work.counts).toMatchObject({ overtaken: 1, retried: 0, cancelled: 0 });
    });
  },
);

it('a forced cancellation after a request for one leaves nothing to publish', async () => {
  const door = gate();
  const service = await bench.service({ work: queue({ payload }) });
  const requested = Promise.withResolvers<void>();
  await service.jobs.work.handle(async (job) => {
    await aborted(job.signal);
    requested.resolve();
    await door.opened;
  });
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'started');
  const say = (eventType: EventType) =>
    bench.publish({ jobId: ref.id, service: service.name, jobType: 'work', eventType });
  await say('cancelRequested');
  await requested.promise;
  await say('cancelled');
  await service.jobs.work.worker?.recheck();
  door.open();
  await bench.workDone(service.name, 'work');
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'cancelRequested', 'cancelled']);
});

it('an event that the stream refused stops nobody, although every subscriber saw it', async () => {
  const { ref, say, stopped } = await waiting((result) => result);
  const [created] = await bench.events(ref.id);
  const subject = `trellis.jobs.${ref.service}.work.${ref.id}.cancelled`;
  const body = JSON.stringify({ ...created?.event, eventType: 'cancelled', state: 'cancelled' });
  const refused = bench.stream.js.publish(subject, body, { expect: { lastSequence: 1 } });
  await expect(refused).rejects.toThrow('wrong last sequence');
  // The refused one would have been followed by now: this one is seen first, and as itself.
  await say('cancelRequested');
  expect((await stopped).reason).toMatchObject({ because: 'cancelRequested' });
  expect((await ref.wait()).state).toBe('completed');
});

it('a cancellation of an id that is not running is not remembered for a later run of it', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  let aborts = 0;
  await service.jobs.work.handle((job) => {
    if (job.signal.aborted) aborts++;
  });
  for (const event of ['cancelRequested', 'cancelled', 'dead']) {
    const subject = `trellis.jobs.${service.name}.work.later.${event}`;
    const refused = bench.stream.js.publish(subject, '{}', { expect: { lastSequence: 1_000_000 } });
    await expect(refused).rejects.toThrow('wrong last sequence');
  }
  const ref = await service.jobs.work.create({}, { id: 'later' });
  expect((await ref.wait()).state).toBe('completed');
  expect(aborts).toBe(0);
});

it('a cancellation of an earlier run does not stop the present one', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  const say = (eventType: EventType, changes = {}) =>
    bench.publish({ jobId: 'second-run', service: service.name, jobType: 'work', eventType, ...changes });
  await say('created', { payload: {} });
  await say('cancelRequested');
  await say('failed');
  await say('retried', { payload: {}, maxTries: 3 });
  const door = gate();
  await service.jobs.work.handle(async (job) => {
    await door.opened;
    return { cancelled: job.cancelled };
  });
  await bench.event('second-run', 'started');
  await service.jobs.work.worker?.recheck();
  door.open();
  await bench.event('second-run', 'completed');
  await bench.workDone(service.name, 'work');
  const { job } = await bench.stream.readJob('second-run');
  expect(job).toMatchObject({ state: 'completed', result: { cancelled: false }, tries: 1 });
});

it('a job that is cancelled while it waits for its next attempt never runs again', async () => {
  const service = await bench.service({ work: queue({ payload, backoffMs: [300] }) });
  let runs = 0;
  await service.jobs.work.handle(() => {
    runs++;
    throw new Error('again');
  });
  const ref = await service.jobs.work.create({});
  await bench.event(ref.id, 'retry');
  await bench.publish({ jobId: ref.id, service: service.name, jobType: 'work', eventType: 'cancelled' });
  await bench.workDone(service.name, 'work');
  expect(runs).toBe(1);
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'retry', 'cancelled']);
  expect(service.jobs.work.counts.discarded).toBe(1);
});
