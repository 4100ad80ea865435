// Jobs.Get: one job, whole. From the projection; a job that it does not have yet is read from the stream.
import type { JobReply } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import { notFound } from '../commands/job-command.ts';
import { markLostWorker } from '../commands/mark-lost-worker.ts';
import { linkedJobs } from '../reads/shown-job.ts';
import { withTraceLink } from '../reads/trace-link.ts';
import { fitJobReply } from '../rpc/fit-reply.ts';
import { defineMethod, ReplyText } from '../rpc/method.ts';

export const getJob = defineMethod({
  name: 'Jobs.Get',
  async answer({ id }, _call, { reader, stream, presence, settings }): Promise<JobReply | ReplyText> {
    const shown = await reader.shownJob(id);
    if (shown !== undefined) return new ReplyText(`{"job":${linkedJobs(shown, settings.traceUrlTemplate)}}`);
    const { job } = await stream.readJob(id);
    if (!job) throw notFound(id);
    const wire = withTraceLink(toWireJob(job), settings.traceUrlTemplate);
    return { job: await markLostWorker(wire, presence), projected: false };
  },
  fit: fitJobReply,
});
