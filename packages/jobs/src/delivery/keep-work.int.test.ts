import { jetstream } from '@nats-io/jetstream';
import { startTestNats, type TestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';

let nats: TestNats;
let bench: Bench;
beforeAll(async () => {
  nats = await startTestNats();
  bench = await startBench(nats, waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({});

it('a handler that runs for longer than ack_wait runs once, with other workers waiting for work', async () => {
  const name = newName();
  const queues = { work: queue({ payload, ackWaitMs: 2_000, concurrency: 2 }) };
  const door = gate();
  let runs = 0;
  let extensions = 0;
  bench.nc.subscribe(`$JS.ACK.JOBS_WORK.${name}-work.>`, {
    callback: (_, message) => {
      if (message.string() === '+WPI' && ++extensions === 5) door.open();
    },
  });
  await bench.nc.flush();
  const services = [await bench.service(queues, { name }), await bench.service(queues, { name })];
  for (const service of services) {
    await service.jobs.work.handle(async () => {
      runs++;
      await door.opened;
    });
  }
  const ref = await services[0]?.jobs.work.create({});
  if (!ref) throw new Error('no job');
  // Five extensions a third of ack_wait apart: without them it would have been delivered again.
  expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  const [, started, completed] = await bench.events(ref.id);
  expect(Date.parse(completed?.storedAt ?? '') - Date.parse(started?.storedAt ?? '')).toBeGreaterThan(2_000);
  expect(runs).toBe(1);
  expect(await bench.types(ref.id)).toEqual(['created', 'started', 'completed']);
});

it('the server being away for a while ends nothing: what runs is completed, what waits is run', async () => {
  await using own = await startTestNats();
  const ownBench = await startBench(own, waitFor);
  const service = await ownBench.service({ work: queue({ payload, concurrency: 1 }) });
  const door = gate();
  const runs = new Map<string, number>();
  await service.jobs.work.handle(async (job) => {
    runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
    await door.opened;
  });
  const running = await service.jobs.work.create({});
  const waiting = await service.jobs.work.create({});
  await ownBench.event(running.id, 'started');
  const ends = [running.wait({ timeoutMs: 30_000 }), waiting.wait({ timeoutMs: 30_000 })];
  await own.kill();
  // Its outcome is to be stored while there is no server.
  door.open();
  await own.restart();
  for (const end of await Promise.all(ends)) expect(end.state).toBe('completed');
  const later = await service.jobs.work.create({});
  expect((await later.wait({ timeoutMs: 30_000 })).state).toBe('completed');
  expect([...runs.values()]).toEqual([1, 1, 1]);
  expect(await ownBench.types(running.id)).toEqual(['created', 'started', 'completed']);
  await ownBench.stop();
});

/** A job in its handler whose service cannot see what is published over `connection`: a server does not echo to the sender. */
async function deafToItself(on: { nats: TestNats; bench: Bench }, ackWaitMs: number) {
  const connection = await on.nats.connect({ noEcho: true });
  const service = await on.bench.service({ work: queue({ payload, ackWaitMs }) }, { nats: connection });
  const because = Promise.withResolvers<unknown>();
  await service.jobs.work.handle(async (job) => {
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
    because.resolve(job.signal.reason);
  });
  const ref = await service.jobs.work.create({});
  const { event } = await on.bench.event(ref.id, 'started');
  const cancel = async () => {
    const subject = `trellis.jobs.${service.name}.work.${ref.id}.cancelRequested`;
    await jetstream(connection).publish(subject, JSON.stringify({ ...event, eventType: 'cancelRequested' }));
  };
  return { ref, because: because.promise, cancel };
}

it('a cancellation whose hint was lost reaches the handler after the next reconnect', async () => {
  await using own = await startTestNats();
  const ownBench = await startBench(own, waitFor);
  // The regular check is 100 s away.
  const { ref, because, cancel } = await deafToItself({ nats: own, bench: ownBench }, 300_000);
  await cancel();
  await own.kill();
  await own.restart();
  expect(await because).toMatchObject({ because: 'cancelRequested' });
  expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('cancelled');
  await ownBench.stop();
});

it('a cancellation whose hint was lost reaches the handler with the next regular check', async () => {
  const { ref, because, cancel } = await deafToItself({ nats, bench }, 1_500);
  await cancel();
  expect(await because).toMatchObject({ because: 'cancelRequested' });
  expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('cancelled');
});

it('a work consumer that is deleted is made again and work goes on', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  await service.jobs.work.handle(() => {});
  expect((await (await service.jobs.work.create({})).wait()).state).toBe('completed');
  await bench.stream.jsm.consumers.delete('JOBS_WORK', `${service.name}-work`);
  const ref = await service.jobs.work.create({});
  expect((await ref.wait({ timeoutMs: 20_000 })).state).toBe('completed');
  const { config } = await bench.stream.jsm.consumers.info('JOBS_WORK', `${service.name}-work`);
  expect(config).toMatchObject({
    max_deliver: -1,
    max_ack_pending: -1,
    filter_subject: `trellis.work.${service.name}.work`,
  });
});

it('a message that did not come from JOBS is counted and removed, publishes nothing and stops nobody', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  await service.jobs.work.handle(() => {});
  const before = (await bench.stream.info()).lastSequence;
  await bench.stream.js.publish(`trellis.work.${service.name}.work`, JSON.stringify({ jobId: 'forged' }));
  await waitFor(async () => service.jobs.work.counts.quarantined === 1, { what: 'the forged message to be met' });
  await bench.workDone(service.name, 'work');
  expect((await bench.stream.info()).lastSequence).toBe(before);
  expect((await (await service.jobs.work.create({})).wait()).state).toBe('completed');
});
