// The example service: makes up orders and works them through three queues. What is connected to what.

import { sleep } from '@trellis/async';
import { runExample } from '@trellis/example-service';
import { readConfig } from './config.ts';
import { chargePayment } from './handlers/charge-payment.ts';
import { notifyWarehouse } from './handlers/notify-warehouse.ts';
import { endlessStock, reserveInventory } from './handlers/reserve-inventory.ts';
import { madeUpOrder } from './order-generator.ts';
import { paymentClient } from './payment-client.ts';
import { paymentProvider } from './payment-provider.ts';
import { servePayments } from './payment-server.ts';
import { declareQueues, SERVICE_NAME } from './queues.ts';
import { takeOrder } from './take-order.ts';

const config = readConfig();
const { speed, ordersPerSecond } = config;
const pause = (ms: number, until?: AbortSignal) => sleep(ms, until);

await runExample({
  name: SERVICE_NAME,
  config,
  queues: declareQueues(speed),
  start: async ({ service: { jobs }, use, run }) => {
    const payments = await servePayments(paymentProvider({ speed, now: () => performance.now(), pause }));
    use('payments', payments, { close: () => payments.close() });
    const provider = paymentClient(payments.url);
    const stock = endlessStock(() => pause(150 / speed));
    await jobs.reserveInventory.handle(reserveInventory(jobs, stock));
    await jobs.chargePayment.handle(chargePayment(jobs, provider));
    await jobs.notifyWarehouse.handle(notifyWarehouse(() => pause(100 / speed)));

    if (ordersPerSecond === 0) return;
    const generator = Date.now().toString(36);
    let number = 0;
    run('order generator', {
      intervalMs: 1_000 / (ordersPerSecond * speed),
      run: async (until) => {
        await takeOrder(jobs, madeUpOrder(generator, number), until);
        number++;
      },
    });
  },
});
