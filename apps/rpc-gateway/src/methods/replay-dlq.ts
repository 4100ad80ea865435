// Jobs.ReplayDLQ: a dead job runs again. A failed one is Jobs.Retry's (docs/lifecycle.md).

import { requeueJob } from '../commands/requeue-job.ts';
import { fitJobReply } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

export const replayDlq = defineMethod({
  name: 'Jobs.ReplayDLQ',
  answer: (request, call, ports) => requeueJob({ method: 'Jobs.ReplayDLQ', from: 'dead' }, request, call, ports),
  fit: fitJobReply,
});
