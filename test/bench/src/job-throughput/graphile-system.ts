// graphile-worker as one of the measured systems, with the batching that its documentation recommends for throughput.
// It deletes successful jobs and keeps no history.
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker';
import { timedInLanes } from '../latencies.ts';
import { orderPayload } from '../order-payload.ts';
import { countDown, type JobSystem } from './job-system.ts';

const JOBS_A_CALL = 1_000;
const CONNECTIONS = 10;
const logger = new Logger(() => () => undefined);

export const graphileSystem: JobSystem = {
  async create(task) {
    const utils = await makeWorkerUtils({ connectionString: task.url, maxPoolSize: CONNECTIONS, logger });
    await utils.migrate();
    const timed = await timedInLanes(task.jobs, task.inFlight, (index) => utils.addJob('work', orderPayload(index)));
    await utils.release();
    return timed;
  },

  async 'create-bulk'(task) {
    const utils = await makeWorkerUtils({ connectionString: task.url, maxPoolSize: CONNECTIONS, logger });
    await utils.migrate();
    const timed = await timedInLanes(Math.ceil(task.jobs / JOBS_A_CALL), 1, (call) =>
      utils.addJobs(
        Array.from({ length: Math.min(JOBS_A_CALL, task.jobs - call * JOBS_A_CALL) }, (_, index) => ({
          identifier: 'work',
          payload: orderPayload(call * JOBS_A_CALL + index),
        })),
      ),
    );
    await utils.release();
    return timed;
  },

  async process(task) {
    const preset = {
      worker: {
        connectionString: task.url,
        maxPoolSize: CONNECTIONS,
        concurrentJobs: task.concurrency,
        localQueue: { size: task.concurrency * 5 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger,
      },
    };
    await runMigrations({ preset });
    const { one, done } = countDown(task.jobs);
    const started = performance.now();
    const runner = await run({ preset, taskList: { work: async () => undefined }, noHandleSignals: true });
    runner.events.on('job:complete', one);
    await done;
    const ms = performance.now() - started;
    await runner.stop();
    return { ms };
  },
};
