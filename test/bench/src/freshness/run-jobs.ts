// A worker with an empty handler, for the jobs of freshness and wherever an idle worker is needed.

import { silentLogger } from '@trellis/async';
import { createService, queue } from '@trellis/jobs';
import { OrderPayload } from '../order-payload.ts';
import { answerTask } from '../run-task.ts';

answerTask(async ({ url, name }: { url: string; name: string }) => {
  const queues = { work: queue({ payload: OrderPayload, concurrency: 100 }) };
  const service = await createService({ name, nats: { url }, queues, log: silentLogger() });
  await service.jobs.work.handle(async () => undefined);
  return { ready: true };
});
