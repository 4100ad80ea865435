// Second step of an order: charges the customer, then tells the warehouse.
import { type ActiveJob, NonRetryableError } from '@trellis/jobs';
import type { PaymentProvider } from '../payment-provider.ts';
import type { Order, OrderJobs } from '../queues.ts';

const CARD_LIMIT_CENTS = 100_000;

export const chargePayment =
  (jobs: OrderJobs, provider: PaymentProvider) => async (job: ActiveJob<Order & { reservationId: string }>) => {
    const { orderId, customer, totalCents, warehouse } = job.payload;
    if (totalCents > CARD_LIMIT_CENTS) throw new NonRetryableError(`the card of ${customer} is declined`);
    await job.log('info', `charging ${(totalCents / 100).toFixed(2)} to ${customer}, attempt ${job.attempt}`);
    const receipt = await provider.charge(orderId, totalCents, job.signal);
    await job.log('info', `charged: ${receipt}`);
    await jobs.notifyWarehouse.create({ orderId, warehouse, receipt }, { id: `${orderId}-warehouse` });
    return { receipt, chargedCents: totalCents };
  };
