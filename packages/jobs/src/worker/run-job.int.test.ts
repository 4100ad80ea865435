import type { EventType } from '@trellis/contracts';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { NonRetryableError, queue } from '../index.ts';
import { type Bench, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({ n: z.number() });

it('a job runs to its result, and every event says whose it is', async () => {
  const service = await bench.service({ add: queue({ payload, result: z.object({ sum: z.number() }) }) });
  await service.jobs.add.handle((job) => ({ sum: job.payload.n + 1 }));
  const ref = await service.jobs.add.create({ n: 1 });
  expect(await ref.wait()).toEqual({ state: 'completed', result: { sum: 2 } });
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => [event.eventType, event.state, event.tries])).toEqual([
    ['created', 'pending', 0],
    ['started', 'active', 1],
    ['completed', 'completed', 1],
  ]);
  for (const { event } of events.slice(1)) {
    expect(event).toMatchObject({ instanceId: service.instanceId, workSequence: expect.any(Number) });
    expect(event.context).toEqual(events[0]?.event.context);
  }
  await bench.workDone(service.name, 'add');
  expect(service.jobs.add.counts).toMatchObject({ delivered: 1, started: 1, completed: 1, retried: 0, faults: 0 });
});

it('an attempt that fails is followed by the next one no earlier than the declared wait, and the last by `dead`', async () => {
  const backoffMs = [150, 400];
  const service = await bench.service({ add: queue({ payload, maxDeliver: 3, backoffMs }) });
  const seen: { attempt: number; redeliveries: number }[] = [];
  await service.jobs.add.handle((job) => {
    seen.push({ attempt: job.attempt, redeliveries: job.redeliveryCount });
    throw new Error(`attempt ${job.attempt}`, { cause: new Error('no stock') });
  });
  const ref = await service.jobs.add.create({ n: 1 });
  expect(await ref.wait()).toEqual({ state: 'dead', error: 'attempt 3 (cause: no stock)' });
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => [event.eventType, event.tries])).toEqual([
    ['created', 0],
    ['started', 1],
    ['retry', 1],
    ['started', 2],
    ['retry', 2],
    ['started', 3],
    ['dead', 3],
  ]);
  const at = (index: number) => Date.parse(events[index]?.event.timestamp ?? '');
  expect(at(3) - at(2)).toBeGreaterThanOrEqual(150);
  expect(at(5) - at(4)).toBeGreaterThanOrEqual(400);
  expect(seen).toEqual([
    { attempt: 1, redeliveries: 0 },
    { attempt: 2, redeliveries: 1 },
    { attempt: 3, redeliveries: 2 },
  ]);
  await bench.workDone(service.name, 'add');
});

describe('how a handler says that an attempt failed', () => {
  const types: EventType[] = ['created', 'started', 'retry', 'started', 'failed'];
  it.each<[string, (fail: (problem: string) => Error) => Error | number]>([
    [
      'it throws',
      () => {
        throw new Error('no stock');
      },
    ],
    ['it returns an error', () => new Error('no stock')],
    ['it returns job.fail()', (fail) => fail('no stock')],
  ])('%s: another attempt, and without a dead-letter queue the job ends as failed', async (_, end) => {
    const service = await bench.service({ add: queue({ payload, maxDeliver: 2, backoffMs: [1], dlq: false }) });
    await service.jobs.add.handle((job) => end(job.fail));
    const ref = await service.jobs.add.create({ n: 1 });
    expect(await ref.wait()).toEqual({ state: 'failed', error: 'no stock' });
    expect(await bench.types(ref.id)).toEqual(types);
    await bench.workDone(service.name, 'add');
  });

  it('a NonRetryableError fails the job at once', async () => {
    const service = await bench.service({ add: queue({ payload }) });
    await service.jobs.add.handle((job) => {
      if (job.payload.n === 1) throw new NonRetryableError('no such order');
      return job.fail('no such order', { retry: false });
    });
    for (const n of [1, 2]) {
      const ref = await service.jobs.add.create({ n });
      expect(await ref.wait()).toEqual({ state: 'failed', error: 'no such order' });
      expect(await bench.types(ref.id)).toEqual(['created', 'started', 'failed']);
    }
  });

  it('a result that does not fit its schema is an error of the handler that names the field', async () => {
    const result = z.object({ sum: z.number() });
    const service = await bench.service({ add: queue({ payload, result, maxDeliver: 1 }) });
    // @ts-expect-error a handler in JavaScript
    await service.jobs.add.handle(() => ({ sum: 'two' }));
    const outcome = await (await service.jobs.add.create({ n: 1 })).wait();
    expect(outcome).toMatchObject({ state: 'dead', error: expect.stringMatching(/^result\.sum: /) });
  });

  it.each([
    ['too large for the broker', 'x'.repeat(1_100_000), /^result: \d+ bytes/],
    ['that no store takes', { a: '\u0000' }, /^result\.a: contains a NUL/],
  ])('a result %s is an error too, and not tried for ever', async (_, value, error) => {
    const service = await bench.service({ add: queue({ payload, maxDeliver: 1 }) });
    await service.jobs.add.handle(() => value);
    const outcome = await (await service.jobs.add.create({ n: 1 })).wait();
    expect(outcome).toMatchObject({ state: 'dead', error: expect.stringMatching(error) });
  });
});

it('a payload that fails its schema fails the job at once: it is not started and not delivered again', async () => {
  const service = await bench.service({ add: queue({ payload, maxDeliver: 5, backoffMs: [1] }) });
  let runs = 0;
  await service.jobs.add.handle(() => void runs++);
  await bench.publish({
    jobId: 'poison',
    service: service.name,
    jobType: 'add',
    eventType: 'created',
    payload: { n: 'x' },
  });
  const { event } = await bench.event('poison', 'failed');
  expect(event).toMatchObject({ error: expect.stringMatching(/^payload\.n: /), tries: 0 });
  await bench.workDone(service.name, 'add');
  expect(await bench.types('poison')).toEqual(['created', 'failed']);
  expect(runs).toBe(0);
});

it('progress, log lines and signs of life are stored while the handler runs, in its order and before its end', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  await service.jobs.add.handle(async (job) => {
    await job.progress({ step: 'one', current: 1, total: 2 });
    await job.log('warn', 'half\u0000way');
    await job.heartbeat();
    // Not awaited: it is stored before the outcome all the same.
    void job.log('info', 'last line');
  });
  const ref = await service.jobs.add.create({ n: 1 });
  await ref.wait();
  const events = await bench.events(ref.id);
  expect(events.map(({ event }) => event.eventType)).toEqual([
    'created',
    'started',
    'progress',
    'logged',
    'heartbeat',
    'logged',
    'completed',
  ]);
  expect(events[2]?.event).toMatchObject({
    progress: { step: 'one', current: 1, total: 2 },
    state: 'active',
    tries: 1,
  });
  expect(events[3]?.event.logs).toMatchObject([{ level: 'warn', message: 'half\uFFFDway' }]);
});

it('what a handler says wrongly or too late is refused to it and harms nobody', async () => {
  const service = await bench.service({ add: queue({ payload }) });
  const late = Promise.withResolvers<() => Promise<void>>();
  const problems: unknown[] = [];
  await service.jobs.add.handle(async (job) => {
    late.resolve(() => job.log('info', 'too late'));
    // @ts-expect-error a handler in JavaScript
    await job.progress({ current: 'one' }).catch((error: unknown) => problems.push(error));
    // Neither awaited nor caught: the process lives on.
    void job.log('info', 'x'.repeat(10));
    void job.progress({ message: 'x'.repeat(1_100_000) });
  });
  const ref = await service.jobs.add.create({ n: 1 });
  expect((await ref.wait()).state).toBe('completed');
  expect(problems).toMatchObject([{ name: 'ValidationError', field: 'progress.current' }]);
  await expect((await late.promise)()).rejects.toThrow('comes too late');
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'logged', 'completed']);
});

it('a queue without progress and logs records none', async () => {
  const service = await bench.service({ add: queue({ payload, progress: false, logs: false }) });
  await service.jobs.add.handle(async (job) => {
    await job.progress({ current: 1 });
    await job.log('info', 'unheard');
  });
  const ref = await service.jobs.add.create({ n: 1 });
  await ref.wait();
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'completed']);
});

it('no more than `concurrency` handlers run at a time, and as many do', async () => {
  const service = await bench.service({ add: queue({ payload, concurrency: 3 }) });
  let running = 0;
  let most = 0;
  const three = Promise.withResolvers<void>();
  await service.jobs.add.handle(async () => {
    most = Math.max(most, ++running);
    if (running === 3) three.resolve();
    await three.promise;
    running--;
  });
  const refs = await Promise.all(Array.from({ length: 12 }, (_, n) => service.jobs.add.create({ n })));
  await Promise.all(refs.map((ref) => ref.wait()));
  expect(most).toBe(3);
});

it('a result that the stream will never take is an error of the attempt', async () => {
  const { jsm, names } = bench.stream;
  const service = await bench.service({ add: queue({ payload, maxDeliver: 1 }) });
  await jsm.streams.update(names.jobs, { max_msg_size: 20_000 });
  try {
    await service.jobs.add.handle(() => 'x'.repeat(50_000));
    const outcome = await (await service.jobs.add.create({ n: 1 })).wait();
    expect(outcome).toMatchObject({ state: 'dead', error: expect.stringMatching(/^result: .*message size exceeds/) });
  } finally {
    await jsm.streams.update(names.jobs, { max_msg_size: -1 });
  }
});
