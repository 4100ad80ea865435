import { AckPolicy } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { silentLogger } from '@trellis/async';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ConsumerConflict, queue } from '../index.ts';
import { type Bench, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { ensureWorkConsumer } from './work-consumer.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const payload = z.object({});
const add = (name: string, config: object) =>
  bench.stream.jsm.consumers.add('JOBS_WORK', { durable_name: name, ack_policy: AckPolicy.Explicit, ...config });

it('the consumer is the one of the protocol', async () => {
  const service = await bench.service({ work: queue({ payload, ackWaitMs: 7_000 }) });
  await service.jobs.work.handle(() => {});
  const { config } = await bench.stream.jsm.consumers.info('JOBS_WORK', `${service.name}-work`);
  expect(config).toMatchObject({
    durable_name: `${service.name}-work`,
    filter_subject: `trellis.work.${service.name}.work`,
    ack_policy: 'explicit',
    ack_wait: nanos(7_000),
    max_deliver: -1,
    max_ack_pending: -1,
  });
  expect(config.backoff).toBeUndefined();
});

it('two queues whose consumers would share a name: the second one does not start, and the first keeps its work', async () => {
  const base = newName();
  const first = await bench.service({ 'b-c': queue({ payload }) }, { name: base });
  await first.jobs['b-c'].handle(() => {});
  const second = await bench.service({ c: queue({ payload }) }, { name: `${base}-b` });
  const started = second.jobs.c.handle(() => {});
  await expect(started).rejects.toBeInstanceOf(ConsumerConflict);
  await expect(started).rejects.toThrow(
    `filter: expected trellis.work.${base}-b.c, found ["trellis.work.${base}.b-c"]`,
  );
  expect((await (await first.jobs['b-c'].create({})).wait()).state).toBe('completed');
});

it('a consumer that acks in another way is refused', async () => {
  const service = await bench.service({ work: queue({ payload }) });
  const filter = `trellis.work.${service.name}.work`;
  await bench.stream.jsm.consumers.add('JOBS_WORK', {
    durable_name: `${service.name}-work`,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    deliver_subject: 'elsewhere',
  });
  await expect(service.jobs.work.handle(() => {})).rejects.toThrow('deliver_subject');
});

it('a consumer with other limits is used as it is, and reported', async () => {
  const service = newName();
  const config = {
    filter_subject: `trellis.work.${service}.work`,
    ack_wait: nanos(9_000),
    max_deliver: 5,
    max_ack_pending: 10,
    backoff: [nanos(2_000), nanos(4_000)],
  };
  const { config: before } = await add(`${service}-work`, config);
  const log = silentLogger();
  const warned = vi.spyOn(log, 'warn');
  const found = await ensureWorkConsumer(bench.stream, { service, jobType: 'work', ackWaitMs: 300_000 }, log);
  // A backoff list overrides ack_wait: this is what the extension has to keep.
  expect(found.ackWaitMs).toBe(2_000);
  expect(warned).toHaveBeenCalledTimes(1);
  const [{ differences }] = warned.mock.calls[0] as unknown as [{ differences: { limit: string }[] }];
  expect(differences.map(({ limit }) => limit)).toEqual(['ack_wait', 'max_deliver', 'max_ack_pending', 'backoff']);
  const after = await bench.stream.jsm.consumers.info('JOBS_WORK', `${service}-work`);
  expect(after.config).toEqual(before);
});

it('any number of workers may make the consumer at the same time', async () => {
  const service = newName();
  const limits = [1_000, 2_000, 3_000, 1_000, 2_000, 3_000];
  const all = await Promise.all(
    limits.map((ackWaitMs) =>
      ensureWorkConsumer(bench.stream, { service, jobType: 'work', ackWaitMs }, silentLogger()),
    ),
  );
  expect(new Set(all.map(({ ackWaitMs }) => ackWaitMs)).size).toBe(1);
});
