// This system as one of the measured systems: the SDK with its default settings, except for the concurrency.

import { silentLogger, sleep } from '@trellis/async';
import { createService, queue } from '@trellis/jobs';
import { connectNats, JobStream } from '@trellis/nats';
import { timedInLanes } from '../latencies.ts';
import { OrderPayload, orderPayload } from '../order-payload.ts';
import type { JobSystem, JobSystemTask } from './job-system.ts';

const TYPE = 'work';
const MAX_QUEUED = 2_000;
const LOOK_MS = 5;
const STALLED_MS = 60_000;

const open = ({ name, url, concurrency, keys }: JobSystemTask) =>
  createService({
    name,
    nats: { url },
    queues: {
      [TYPE]: queue({
        payload: OrderPayload,
        concurrency,
        ...(keys > 0 && { keyConcurrency: { key: ['/key'], maxActive: 1 }, queue: { maxQueuedPerKey: MAX_QUEUED } }),
      }),
    },
    log: silentLogger(),
  });

export const trellisSystem: JobSystem = {
  async create(task) {
    const service = await open(task);
    const timed = await timedInLanes(task.jobs, task.inFlight, (index) =>
      service.jobs[TYPE].create(orderPayload(index, task.keys || undefined)),
    );
    await service.stop({ graceMs: 0 });
    return timed;
  },

  'create-bulk'() {
    return Promise.reject(new Error('the SDK has no call that creates many jobs'));
  },

  async process(task) {
    const service = await open(task);
    const { work } = service.jobs;
    const started = performance.now();
    await work.handle(async () => undefined);
    let [seen, seenAt] = [0, started];
    while (work.counts.completed < task.jobs) {
      await sleep(LOOK_MS);
      const now = performance.now();
      if (work.counts.completed > seen) [seen, seenAt] = [work.counts.completed, now];
      if (now - seenAt > STALLED_MS) throw new Error(`no job completed for a minute: ${JSON.stringify(work.counts)}`);
    }
    const ms = performance.now() - started;
    await service.stop({ graceMs: 0 });
    return { ms };
  },
};

/** Waits until the server has copied every created job to the work queue. @returns the time that this took */
export async function workIsQueued(url: string, name: string, jobs: number): Promise<number> {
  const started = performance.now();
  const nc = await connectNats({ url, name: 'bench' });
  try {
    const { jsm, names } = await JobStream.open(nc);
    const subject = `trellis.work.${name}.${TYPE}`;
    for (;;) {
      const { state } = await jsm.streams.info(names.work, { subjects_filter: subject });
      if ((state.subjects?.[subject] ?? 0) >= jobs) return performance.now() - started;
      await sleep(LOOK_MS);
    }
  } finally {
    await nc.close();
  }
}

/** Number of messages in JOBS: the full history of every job. */
export async function messagesOfJobs(url: string): Promise<number> {
  const nc = await connectNats({ url, name: 'bench' });
  try {
    return (await (await JobStream.open(nc)).info()).messages;
  } finally {
    await nc.close();
  }
}
