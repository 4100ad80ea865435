// The example of keyed concurrency: asks for syncs and runs them, one at a time for each origin. What is connected to what.
import { createService, removeEndedJobs } from '@trellis/jobs';
import { abortable, connectNats, createLogger, JobStream, loop, runComponent, telemetryOf } from '@trellis/runtime';
import { startTelemetry } from '@trellis/telemetry';
import { askForSync } from './ask-for-sync.ts';
import { readConfig } from './config.ts';
import { declareQueues, SERVICE_NAME } from './queues.ts';
import { madeUpRequest } from './request-generator.ts';
import { slowZendesk, syncTickets } from './sync-tickets.ts';

const VERSION = '1.0.0';
const CLEAN_UP_EVERY_MS = 60_000;
const CLEAN_UP_LIMIT = 1_000;

const config = readConfig();
const { instanceId, speed, requestsPerSecond } = config;
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

    const { syncTickets: queue } = service.jobs;
    await queue.handle(syncTickets(slowZendesk((ms, until) => abortable(until, ms / speed))));

    if (requestsPerSecond > 0) {
      let number = 0;
      const requests = loop('request generator', {
        signal,
        log,
        intervalMs: 1_000 / (requestsPerSecond * speed),
        run: async (until) => {
          const outcome = await askForSync(queue, madeUpRequest(number), until);
          log.debug({ outcome }, 'a sync was asked for');
          number++;
        },
      });
      onStop(() => requests.done);
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
