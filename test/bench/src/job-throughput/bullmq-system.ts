// BullMQ on Redis as one of the measured systems. It keeps completed jobs, as ours does.
import { Queue, Worker } from 'bullmq';
import { timedInLanes } from '../latencies.ts';
import { orderPayload } from '../order-payload.ts';
import { countDown, type JobSystem, type JobSystemTask } from './job-system.ts';

const JOBS_A_CALL = 1_000;
/** BullMQ requires this setting, because it retries commands itself. */
const connection = ({ url }: JobSystemTask) => ({ url, maxRetriesPerRequest: null });
const openQueue = async (task: JobSystemTask) => {
  const queue = new Queue(task.name, {
    connection: connection(task),
    defaultJobOptions: { removeOnComplete: false, attempts: 5 },
  });
  await queue.waitUntilReady();
  return queue;
};

export const bullmqSystem: JobSystem = {
  async create(task) {
    const queue = await openQueue(task);
    const timed = await timedInLanes(task.jobs, task.inFlight, (index) => queue.add('work', orderPayload(index)));
    await queue.close();
    return timed;
  },

  async 'create-bulk'(task) {
    const queue = await openQueue(task);
    const timed = await timedInLanes(Math.ceil(task.jobs / JOBS_A_CALL), 1, (call) =>
      queue.addBulk(
        Array.from({ length: Math.min(JOBS_A_CALL, task.jobs - call * JOBS_A_CALL) }, (_, index) => ({
          name: 'work',
          data: orderPayload(call * JOBS_A_CALL + index),
        })),
      ),
    );
    await queue.close();
    return timed;
  },

  async process(task) {
    const { one, done } = countDown(task.jobs);
    const worker = new Worker(task.name, async () => undefined, {
      connection: connection(task),
      concurrency: task.concurrency,
      autorun: false,
    });
    worker.on('completed', one);
    await worker.waitUntilReady();
    const started = performance.now();
    const running = worker.run();
    await done;
    const ms = performance.now() - started;
    await worker.close();
    await running;
    return { ms };
  },
};
