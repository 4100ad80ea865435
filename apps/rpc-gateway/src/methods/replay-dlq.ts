// Jobs.ReplayDLQ: a dead job runs again. A failed one is Jobs.Retry's (protocol: job states).
import { fitJobReply } from '../fit-reply.ts';
import { defineMethod } from '../method.ts';
import { requeueJob } from '../requeue-job.ts';

export const replayDlq = defineMethod({
  name: 'Jobs.ReplayDLQ',
  answer: (request, call, ports) => requeueJob({ method: 'Jobs.ReplayDLQ', from: 'dead' }, request, call, ports),
  fit: fitJobReply,
});
