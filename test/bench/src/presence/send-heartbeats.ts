// A process that sends heartbeats of many workers at a steady rate, in rotation.

import { sleep } from '@trellis/async';
import { heartbeatSubject } from '@trellis/contracts';
import { connectNats } from '@trellis/nats';
import { answerTask } from '../run-task.ts';

export interface HeartbeatsTask {
  url: string;
  workers: number;
  perSecond: number;
  seconds: number;
}

export interface HeartbeatsSent {
  sent: number;
  ms: number;
  /** When the last heartbeat of each worker was sent, in milliseconds since 1970. */
  lastRoundAt: number;
}

const TICK_MS = 10;
const WORKERS_OF_A_TYPE = 50;

answerTask(async ({ url, workers, perSecond, seconds }: HeartbeatsTask): Promise<HeartbeatsSent> => {
  const nc = await connectNats({ url, name: 'bench heartbeats' });
  const total = perSecond * seconds;
  const started = performance.now();
  let [sent, lastRoundAt] = [0, 0];
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1_000) * perSecond));
    for (; sent < due; sent++) {
      if (sent === total - workers) lastRoundAt = Date.now();
      const worker = sent % workers;
      const [service, jobType, instanceId] = [
        'bench',
        `type-${Math.floor(worker / WORKERS_OF_A_TYPE)}`,
        `worker-${worker}`,
      ];
      const body = {
        service,
        jobType,
        instanceId,
        timestamp: new Date().toISOString(),
        concurrency: 10,
        version: '1.0.0',
        activeJobs: [],
      };
      nc.publish(heartbeatSubject(service, jobType, instanceId), JSON.stringify(body));
    }
    await sleep(TICK_MS);
  }
  await nc.flush();
  const ms = performance.now() - started;
  await nc.close();
  return { sent, ms, lastRoundAt };
});
