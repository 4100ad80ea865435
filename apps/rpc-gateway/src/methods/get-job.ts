// Jobs.Get: one job, whole. The projection answers; a job that it does not know yet is looked for in the stream.
import { toWireJob } from '@trellis/lifecycle';
import { fitJobReply } from '../fit-reply.ts';
import { notFound } from '../job-command.ts';
import { defineMethod } from '../method.ts';

export const getJob = defineMethod({
  name: 'Jobs.Get',
  async answer({ id }, _call, { reader, stream }) {
    const row = await reader.getJob(id);
    if (row) return { job: toWireJob(row) };
    const { job } = await stream.readJob(id);
    if (!job) throw notFound(id);
    return { job: toWireJob(job), projected: false };
  },
  fit: fitJobReply,
});
