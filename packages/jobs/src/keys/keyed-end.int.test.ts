// The order in which a keyed job ends: its end is stored, then its lease is free.
import { JobStream } from '@trellis/nats';
import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { queue } from '../index.ts';
import { type Bench, gate, newName, startBench } from '../testing/jobs-bench.fixture.ts';
import { readRecord, TEMPLATE } from '../testing/key-record.fixture.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const queues = {
  work: queue({
    payload: z.object({ origin: z.string() }),
    keyConcurrency: { key: TEMPLATE },
    queue: { maxQueuedPerKey: 9 },
  }),
};
const until = (what: string, predicate: () => boolean) => waitFor(async () => predicate(), { what, timeoutMs: 30_000 });

it('a key is freed only once the end of the job that holds it is stored: until then the next one waits', async () => {
  const name = newName();
  const first = await bench.service(queues, { name });
  const second = await bench.service(queues, { name });
  const stored = gate();
  const publish = JobStream.prototype.publish;
  let ends = 0;
  const delivery = vi.spyOn(JobStream.prototype, 'publish').mockImplementation(async function (
    this: JobStream,
    ...args
  ) {
    if (args[0].eventType === 'completed' && ends++ === 0) await stored.opened;
    return publish.apply(this, args);
  });
  try {
    const ran: string[] = [];
    await first.jobs.work.handle((job) => void ran.push(job.id));
    const ended = await first.jobs.work.create({ origin: 'foo' });
    await until('the first handler to end', () => ends === 1);
    const next = await first.jobs.work.create({ origin: 'foo' });
    await second.jobs.work.handle((job) => void ran.push(job.id));
    await until('visits in vain', () => first.jobs.work.counts.parked + second.jobs.work.counts.parked > 0);
    expect(await readRecord(bench.stream, name, 'foo')).toMatchObject({
      active: [{ jobId: ended.id }],
      queued: [{ jobId: next.id }],
    });
    expect(ran).toEqual([ended.id]);
    stored.open();
    for (const ref of [ended, next]) expect((await ref.wait({ timeoutMs: 30_000 })).state).toBe('completed');
    expect(ran).toEqual([ended.id, next.id]);
  } finally {
    delivery.mockRestore();
  }
});
