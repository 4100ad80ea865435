// The worker of the jobs that freshness creates: a handler that does nothing. Also an idle worker for whoever needs one.

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
