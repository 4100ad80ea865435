// A process that creates jobs at a steady rate. For some of them it calls Jobs.Get every few milliseconds from the publish
// until the reply comes from the projection.

import { silentLogger, sleep } from '@trellis/async';
import { createService, queue } from '@trellis/jobs';
import { connectNats } from '@trellis/nats';
import { ulid } from 'ulid';
import { Latencies, type LatencyFigures } from '../latencies.ts';
import { OrderPayload, orderPayload } from '../order-payload.ts';
import { answerTask } from '../run-task.ts';

export interface FreshnessTask {
  url: string;
  /** Name of the service. */
  name: string;
  jobsPerSecond: number;
  /** Number of watched jobs; one job in `oneIn` is watched. */
  watched: number;
  oneIn: number;
}

export interface Freshness {
  created: number;
  ms: number;
  latencies: LatencyFigures;
  /** Jobs.Get calls of a watched job, on average. */
  callsOfAJob: number;
  /** Processor time of this process. */
  cpuSeconds: number;
}

const TICK_MS = 2;
/** Pause between a reply and the next call. Without it the calls would be most of the load. */
const PAUSE_MS = 3;
const GIVE_UP_MS = 20_000;
/** Warm-up: new processes compile their code during this time. Jobs watched meanwhile do not count. */
const WARM_UP_SECONDS = 5;

answerTask(async ({ url, name, jobsPerSecond, watched, oneIn }: FreshnessTask): Promise<Freshness> => {
  const nc = await connectNats({ url, name: 'bench freshness' });
  const service = await createService({
    name,
    nats: { url },
    queues: { work: queue({ payload: OrderPayload }) },
    log: silentLogger(),
  });
  const latencies = new Latencies();
  let calls = 0;
  const watch = async (id: string, from: number, counts: boolean) => {
    while (performance.now() - from < GIVE_UP_MS) {
      if (counts) calls += 1;
      const reply = await nc.request('rpc.v1.Jobs.Get', JSON.stringify({ id }), { timeout: GIVE_UP_MS });
      const { projected, job } = reply.json<{ projected?: boolean; job?: object }>();
      // Before the job is projected, the gateway reads it from the stream and marks the reply.
      if (job !== undefined && projected !== false) {
        if (counts) latencies.add(performance.now() - from);
        return;
      }
      await sleep(PAUSE_MS);
    }
    throw new Error(`job ${id} was not projected within ${GIVE_UP_MS / 1_000} s`);
  };
  const warmUp = WARM_UP_SECONDS * jobsPerSecond;
  const total = warmUp + watched * oneIn;
  const before = process.cpuUsage();
  const started = performance.now();
  const open: Promise<unknown>[] = [];
  for (let created = 0; created < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1_000) * jobsPerSecond));
    for (; created < due; created++) {
      const id = ulid();
      const from = performance.now();
      open.push(service.jobs.work.create(orderPayload(created), { id }));
      if (created % oneIn === 0) open.push(watch(id, from, created >= warmUp));
    }
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  await service.stop({ graceMs: 0 });
  await nc.close();
  return {
    created: total,
    ms,
    latencies: latencies.figures,
    callsOfAJob: calls / watched,
    cpuSeconds: (user + system) / 1e6,
  };
});
