// Jobs.Retry: a failed job runs again. A dead one is Jobs.ReplayDLQ's (docs/lifecycle.md).

import { requeueJob } from '../commands/requeue-job.ts';
import { fitJobReply } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

export const retryJob = defineMethod({
  name: 'Jobs.Retry',
  answer: (request, call, ports) => requeueJob({ method: 'Jobs.Retry', from: 'failed' }, request, call, ports),
  fit: fitJobReply,
});
