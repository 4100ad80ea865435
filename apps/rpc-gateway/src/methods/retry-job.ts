// Jobs.Retry: a failed job runs again. A dead one is Jobs.ReplayDLQ's (protocol: job states).
import { fitJobReply } from '../fit-reply.ts';
import { defineMethod } from '../method.ts';
import { requeueJob } from '../requeue-job.ts';

export const retryJob = defineMethod({
  name: 'Jobs.Retry',
  answer: (request, call, ports) => requeueJob({ method: 'Jobs.Retry', from: 'failed' }, request, call, ports),
  fit: fitJobReply,
});
