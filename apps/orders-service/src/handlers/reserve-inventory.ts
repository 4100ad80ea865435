// First step of an order: takes its items out of stock, then asks for the payment.
import { type ActiveJob, NonRetryableError } from '@trellis/jobs';
import type { Order, OrderJobs } from '../queues.ts';

export interface Stock {
  /** Sets items aside. @throws {NonRetryableError} for an article that does not exist */
  take(sku: string, quantity: number): Promise<void>;
}

/** A stock that knows every article but those that are discontinued. */
export function endlessStock(pause: () => Promise<void>): Stock {
  return {
    take: async (sku) => {
      await pause();
      if (sku.startsWith('discontinued-')) throw new NonRetryableError(`no such article: ${sku}`);
    },
  };
}

export const reserveInventory = (jobs: OrderJobs, stock: Stock) => async (job: ActiveJob<Order>) => {
  const order = job.payload;
  for (const [index, { sku, quantity }] of order.items.entries()) {
    job.signal.throwIfAborted();
    await stock.take(sku, quantity);
    await job.progress({ step: `reserved ${sku}`, current: index + 1, total: order.items.length });
  }
  const articles = order.items.reduce((sum, { quantity }) => sum + quantity, 0);
  await job.log('info', `${articles} articles set aside for ${order.customer}`);
  const reservationId = `reservation-${order.orderId}`;
  // The id makes it one payment, however often this step is repeated; trace and request are inherited.
  const payment = await jobs.chargePayment.create({ ...order, reservationId }, { id: `${order.orderId}-payment` });
  return { reservationId, paymentJobId: payment.id };
};
