// Jobs.Get: one job, whole. The projection answers; a job that it does not know yet is looked for in the stream.
import type { JobReply } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import { fitJobReply } from '../fit-reply.ts';
import { notFound } from '../job-command.ts';
import { markLostWorkers } from '../mark-lost-workers.ts';
import { defineMethod } from '../method.ts';
import { withTraceLink } from '../trace-link.ts';

export const getJob = defineMethod({
  name: 'Jobs.Get',
  async answer({ id }, _call, { reader, stream, presence, settings }): Promise<JobReply> {
    const row = await reader.getJob(id);
    const known = row ?? (await stream.readJob(id)).job;
    if (!known) throw notFound(id);
    const wire = withTraceLink(toWireJob(known), settings.traceUrlTemplate);
    const [job = wire] = await markLostWorkers([wire], presence);
    return row ? { job } : { job, projected: false };
  },
  fit: fitJobReply,
});
