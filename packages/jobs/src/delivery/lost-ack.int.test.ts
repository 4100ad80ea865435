import { startTestNats, waitFor } from '@trellis/test-support';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { NonRetryableError, queue } from '../index.ts';
import { type Bench, startBench } from '../testing/jobs-bench.fixture.ts';
import { AckBatcher } from './ack-batcher.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench(await startTestNats(), waitFor);
});
afterAll(() => bench.stop());

const handlers = {
  completed: () => undefined,
  failed: () => new NonRetryableError('no'),
};

it.each(['completed', 'failed'] as const)(
  'a job that has %s does not run again when the ack of its work gets lost',
  async (ending) => {
    const service = await bench.service({ work: queue({ payload: z.object({}), ackWaitMs: 200 }) });
    const { work } = service.jobs;
    const lost = vi.spyOn(AckBatcher.prototype, 'add').mockImplementationOnce(() => undefined);
    let runs = 0;
    await work.handle(() => {
      runs++;
      return handlers[ending]();
    });
    const ref = await work.create({});
    expect(await ref.wait()).toMatchObject({ state: ending });
    await expect.poll(() => work.counts.discarded).toBe(1);
    await bench.workDone(service.name, 'work');
    expect(lost).toHaveBeenCalledTimes(1);
    expect(runs).toBe(1);
    expect(await bench.types(ref.id)).toEqual(['created', 'started', ending]);
    lost.mockRestore();
  },
);
