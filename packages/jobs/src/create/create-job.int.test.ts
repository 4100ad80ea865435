import { PublishError } from '@trellis/nats';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue, ValidationError, WaitTimeoutError } from '../index.ts';
import { type Bench, CONTEXT, gate, startBench } from '../testing/jobs-bench.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const order = z.object({ order: z.string() });

it('a job is stored with its payload, its limits and a context of its own before create returns', async () => {
  const service = await bench.service({ charge: queue({ payload: order, maxDeliver: 7, defaultDeadlineMs: 60_000 }) });
  const ref = await service.jobs.charge.create({ order: 'o1' });
  const [created] = await bench.events(ref.id);
  expect(created?.event).toMatchObject({
    eventType: 'created',
    state: 'pending',
    payload: { order: 'o1' },
    maxTries: 7,
    tries: 0,
    context: { traceId: expect.stringMatching(/^[0-9a-f]{32}$/), requestId: expect.any(String) },
  });
  const { timestamp, deadline } = created?.event ?? {};
  expect(Date.parse(deadline ?? '') - Date.parse(timestamp ?? '')).toBe(60_000);
  const stored = await bench.stream.messageAt(created?.sequence ?? 0);
  expect(stored?.headers?.get('Nats-Msg-Id')).toBe(`${service.name}.charge.${ref.id}:created`);
  expect(stored?.headers?.get('traceparent')).toBe(created?.event.context.traceparent);
});

it('a hundred concurrent creates of one id make one job, and it runs once', async () => {
  const service = await bench.service({ charge: queue({ payload: order, concurrency: 10 }) });
  let runs = 0;
  await service.jobs.charge.handle(() => void runs++);
  const id = 'the-one-id';
  const refs = await Promise.all(
    Array.from({ length: 100 }, (_, n) => service.jobs.charge.create({ order: `o${n}` }, { id })),
  );
  expect(new Set(refs.map((ref) => ref.id))).toEqual(new Set([id]));
  expect((await refs[0]?.wait())?.state).toBe('completed');
  await bench.workDone(service.name, 'charge');
  expect(await bench.types(id)).toEqual(['created', 'started', 'completed']);
  expect(runs).toBe(1);
});

it('creating a job again after it has ended gives the same job', async () => {
  const service = await bench.service({ charge: queue({ payload: order }) });
  await service.jobs.charge.handle(() => {});
  await (await service.jobs.charge.create({ order: 'o1' }, { id: 'again' })).wait();
  const ref = await service.jobs.charge.create({ order: 'o2' }, { id: 'again' });
  expect((await ref.wait()).state).toBe('completed');
  expect(await bench.types('again')).toEqual(['created', 'started', 'completed']);
});

it('an id that belongs to another service or type is refused, naming the owner', async () => {
  const first = await bench.service({ charge: queue({ payload: order }), ship: queue({ payload: order }) });
  const second = await bench.service({ charge: queue({ payload: order }) });
  await first.jobs.charge.create({ order: 'o1' }, { id: 'mine' });
  for (const other of [second.jobs.charge, first.jobs.ship]) {
    const refused = other.create({ order: 'o1' }, { id: 'mine' });
    await expect(refused).rejects.toBeInstanceOf(ValidationError);
    await expect(refused).rejects.toThrow(`id: "mine" is a job of ${first.name}/charge already`);
  }
  expect(await bench.types('mine')).toEqual(['created']);
});

it('an id that is occupied by something unreadable is refused: no job was created', async () => {
  const service = await bench.service({ charge: queue({ payload: order }) });
  await bench.stream.js.publish(`trellis.jobs.${service.name}.charge.occupied.created`, 'no json');
  await expect(service.jobs.charge.create({ order: 'o1' }, { id: 'occupied' })).rejects.toThrow(
    'id: "occupied" is taken',
  );
});

it('a payload that does not fit is refused by field and nothing is stored', async () => {
  const service = await bench.service({ charge: queue({ payload: order }) });
  const before = (await bench.stream.info()).lastSequence;
  // @ts-expect-error a JavaScript caller
  await expect(service.jobs.charge.create({ order: 7 })).rejects.toThrow('payload.order:');
  await expect(service.jobs.charge.create({ order: 'x'.repeat(1_100_000) })).rejects.toThrow('payload:');
  expect((await bench.stream.info()).lastSequence).toBe(before);
});

it('an explicit parent context is inherited; so is that of the job that a handler works on', async () => {
  const service = await bench.service({ charge: queue({ payload: order }), notify: queue({ payload: order }) });
  let child = '';
  await service.jobs.charge.handle(async (job) => {
    child = (await service.jobs.notify.create(job.payload)).id;
  });
  const parent = { ...CONTEXT, tracestate: 'vendor=1' };
  const ref = await service.jobs.charge.create({ order: 'o1' }, { context: parent });
  await ref.wait();
  for (const id of [ref.id, child]) {
    const [created] = await bench.events(id);
    expect(created?.event.context).toEqual(parent);
    expect((await bench.stream.messageAt(created?.sequence ?? 0))?.headers?.get('tracestate')).toBe('vendor=1');
  }
});

it('a create that is given up says that the outcome is unknown', async () => {
  const service = await bench.service({ charge: queue({ payload: order }) });
  const gaveUp = service.jobs.charge.create({ order: 'o1' }, { signal: AbortSignal.abort() });
  await expect(gaveUp).rejects.toBeInstanceOf(PublishError);
});

it('wait tells how the job ended, with a result that its schema has parsed', async () => {
  const result = z.object({ at: z.string().transform((text) => new Date(text)) });
  const service = await bench.service({ charge: queue({ payload: order, result, maxDeliver: 1 }) });
  const door = gate();
  await service.jobs.charge.handle(async (job) => {
    await door.opened;
    if (job.payload.order === 'bad') throw new Error('no such order');
    return { at: '2026-01-31T00:00:00.000Z' };
  });
  const good = await service.jobs.charge.create({ order: 'good' });
  const waits = [good.wait(), good.wait({ timeoutMs: 60_000 })];
  await expect(good.wait({ timeoutMs: 1 })).rejects.toBeInstanceOf(WaitTimeoutError);
  await expect(good.wait({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  door.open();
  for (const outcome of await Promise.all(waits)) {
    expect(outcome).toEqual({ state: 'completed', result: { at: new Date('2026-01-31') } });
  }
  const bad = await service.jobs.charge.create({ order: 'bad' });
  expect(await bad.wait()).toEqual({ state: 'dead', error: 'no such order' });
  await expect(service.jobs.charge.ref('never-was').wait()).rejects.toThrow('the stream holds nothing of it');
});
