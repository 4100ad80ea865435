// The example of keyed concurrency: asks for syncs and runs them, one at a time for each origin. What is connected to what.

import { sleep } from '@trellis/async';
import { runExample } from '@trellis/example-service';
import { askForSync } from './ask-for-sync.ts';
import { readConfig } from './config.ts';
import { declareQueues, SERVICE_NAME } from './queues.ts';
import { madeUpRequest } from './request-generator.ts';
import { slowZendesk, syncTickets } from './sync-tickets.ts';

const config = readConfig();
const { speed, requestsPerSecond } = config;

await runExample({
  name: SERVICE_NAME,
  config,
  queues: declareQueues(speed),
  start: async ({ service, run, log }) => {
    const { syncTickets: queue } = service.jobs;
    await queue.handle(syncTickets(slowZendesk((ms, until) => sleep(ms / speed, until))));

    if (requestsPerSecond === 0) return;
    let number = 0;
    run('request generator', {
      intervalMs: 1_000 / (requestsPerSecond * speed),
      run: async (until) => {
        const outcome = await askForSync(queue, madeUpRequest(number), until);
        log.debug({ outcome }, 'a sync was asked for');
        number++;
      },
    });
  },
});
