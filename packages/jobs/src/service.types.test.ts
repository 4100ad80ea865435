import type { JobContext } from '@trellis/contracts';
import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type ActiveJob, type JobOutcome, type JobRef, type Jobs, queue } from './index.ts';

const queues = {
  'reserve-inventory': queue({
    payload: z.object({ order: z.string(), at: z.string().transform((text) => new Date(text)) }),
    result: z.object({ shelf: z.number() }),
  }),
  notify: queue({ payload: z.object({ to: z.string().default('all') }) }),
};
declare const jobs: Jobs<typeof queues>;

it('payload and result flow from the schemas', () => {
  const typed = () => {
    expectTypeOf(jobs.reserveInventory).toEqualTypeOf(jobs['reserve-inventory']);
    expectTypeOf(jobs['reserve-inventory'].create).parameter(0).toEqualTypeOf<{ order: string; at: string }>();
    expectTypeOf(jobs['reserve-inventory'].create).returns.resolves.toEqualTypeOf<JobRef<{ shelf: number }>>();
    expectTypeOf(jobs.reserveInventory.ref('x').wait()).resolves.toEqualTypeOf<JobOutcome<{ shelf: number }>>();
    void jobs.reserveInventory.handle(async (job) => {
      expectTypeOf(job).toEqualTypeOf<ActiveJob<{ order: string; at: Date }>>();
      expectTypeOf(job.context).toEqualTypeOf<JobContext>();
      if (job.cancelled) return job.fail('stopped');
      return { shelf: 1 };
    });
    // @ts-expect-error the result must fit its schema
    void jobs.reserveInventory.handle(async () => ({ shelf: 'one' }));
    // @ts-expect-error the payload must fit its schema
    void jobs.reserveInventory.create({ order: 1, at: 'x' });
    // @ts-expect-error there is no such queue
    void jobs.reserve;

    expectTypeOf(jobs.notify.create).parameter(0).toEqualTypeOf<{ to?: string | undefined }>();
    void jobs.notify.handle((job) => {
      expectTypeOf(job.payload).toEqualTypeOf<{ to: string }>();
    });
  };
  expectTypeOf(typed).toBeFunction();
});
