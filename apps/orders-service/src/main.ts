// The example service: makes up orders and works them through three queues. What is connected to what.
import { createService, removeEndedJobs } from '@trellis/jobs';
import { abortable, connectNats, createLogger, JobStream, loop, runComponent, telemetryOf } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
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

const VERSION = '1.0.0';
const CLEAN_UP_EVERY_MS = 60_000;
/** More than two orders a second leave in the time between two passes. */
const CLEAN_UP_LIMIT = 1_000;

const config = readConfig();
const { instanceId, speed, ordersPerSecond } = config;
const telemetry = startTelemetry(telemetryOf(config, SERVICE_NAME, VERSION));
const log = createLogger({ name: SERVICE_NAME, level: config.logLevel, instanceId });

await runComponent({
  name: SERVICE_NAME,
  config,
  log,
  telemetry,
  start: async ({ signal, onStop, ready }) => {
    const nats = await connectNats({ url: config.natsUrl, options: config.natsOptions, name: SERVICE_NAME, log });
    onStop(() => nats.drain());
    ready('nats', async () => void (await nats.rtt()));

    const service = await createService({
      name: SERVICE_NAME,
      nats,
      queues: declareQueues(speed),
      instanceId,
      version: VERSION,
      log,
      streamNames: config.streamNames,
      streamReplicas: config.streamReplicas,
      joinTraceMs: config.joinTraceMs,
    });
    onStop(() => service.stop({ graceMs: config.graceMs }));
    ready('queues', () => service.check());

    const { jobs } = service;
    const pause = (ms: number, until?: AbortSignal) => abortable(until, ms);
    const payments = await servePayments(paymentProvider({ speed, now: () => performance.now(), pause }));
    onStop(() => payments.close());
    const provider = paymentClient(payments.url);
    const stock = endlessStock(() => pause(150 / speed));
    await jobs.reserveInventory.handle(reserveInventory(jobs, stock));
    await jobs.chargePayment.handle(chargePayment(jobs, provider));
    await jobs.notifyWarehouse.handle(notifyWarehouse(() => pause(100 / speed)));

    if (ordersPerSecond > 0) {
      const run = Date.now().toString(36);
      let number = 0;
      const orders = loop('order generator', {
        signal,
        log,
        intervalMs: 1_000 / (ordersPerSecond * speed),
        run: async (until) => {
          await takeOrder(jobs, madeUpOrder(run, number), until);
          number++;
        },
      });
      onStop(() => orders.done);
    }

    const stream = await JobStream.open(nats, { names: config.streamNames, log });
    const removal = loop('clean-up', {
      signal,
      log,
      intervalMs: CLEAN_UP_EVERY_MS,
      run: async (until) => {
        const before = new Date(Date.now() - config.keepHours * 3_600_000);
        const done = await removeEndedJobs(stream, {
          service: SERVICE_NAME,
          before,
          limit: CLEAN_UP_LIMIT,
          signal: until,
        });
        if (done.removed > 0) log.info(done, 'old example jobs removed from the stream');
      },
    });
    onStop(() => removal.done);
  },
});
