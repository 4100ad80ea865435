// Last step of an order: the warehouse is told to pack. One of the warehouses is closed: its jobs wait until they expire.
import type { ActiveJob } from '@trellis/jobs';

export const CLOSED_WAREHOUSE = 'reykjavik';

export const notifyWarehouse =
  (pause: () => Promise<void>) => async (job: ActiveJob<{ orderId: string; warehouse: string; receipt: string }>) => {
    await pause();
    const { warehouse, orderId } = job.payload;
    if (warehouse === CLOSED_WAREHOUSE) return job.fail(`the warehouse in ${warehouse} is closed`);
    await job.log('info', `${warehouse} packs ${orderId}`);
    // For whoever wants to know; the message carries the trace on.
    job.nats.publish('orders.packed', JSON.stringify({ orderId, warehouse }));
    return undefined;
  };
