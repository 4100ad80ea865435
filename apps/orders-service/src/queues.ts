// The three queues of the example and what travels through them: reserve-inventory → charge-payment → notify-warehouse.
import { type JobService, queue } from '@trellis/jobs';
import { z } from 'zod';

export const SERVICE_NAME = 'orders-service';

const ACK_WAIT_MS = 15_000;

const OrderId = z.string().min(1);
const Item = z.object({ sku: z.string(), quantity: z.int().min(1) });

export const Order = z.object({
  orderId: OrderId,
  customer: z.string(),
  items: z.array(Item).min(1),
  totalCents: z.int().min(0),
  warehouse: z.string(),
});
export type Order = z.infer<typeof Order>;

/** @param speed shortens the waits: how many times faster than life the example runs */
export function declareQueues(speed: number) {
  const wait = (...millis: number[]) => millis.map((ms) => Math.round(ms / speed));
  return {
    'reserve-inventory': queue({
      payload: Order,
      result: z.object({ reservationId: z.string(), paymentJobId: z.string() }),
      maxDeliver: 5,
      backoffMs: wait(1_000, 2_000, 5_000),
      ackWaitMs: ACK_WAIT_MS,
      concurrency: 4,
    }),
    'charge-payment': queue({
      payload: Order.extend({ reservationId: z.string() }),
      result: z.object({ receipt: z.string(), chargedCents: z.int() }),
      maxDeliver: 4,
      backoffMs: wait(1_000, 2_000, 4_000),
      ackWaitMs: ACK_WAIT_MS,
      concurrency: 4,
    }),
    'notify-warehouse': queue({
      payload: z.object({ orderId: OrderId, warehouse: z.string(), receipt: z.string() }),
      maxDeliver: 10,
      backoffMs: wait(20_000),
      ackWaitMs: ACK_WAIT_MS,
      concurrency: 2,
      defaultDeadlineMs: Math.round(45_000 / speed),
    }),
  };
}

export type OrderJobs = JobService<ReturnType<typeof declareQueues>>['jobs'];
