// A folded job as the RPCs show it: without what is only the system's business.
import type { Job } from '@trellis/contracts';
import type { FoldedJob } from './reduce.ts';

/** The wire form of a folded job. `logs` is given only when there are lines. */
export function toWireJob(job: FoldedJob): Job {
  const wire: Job = {
    id: job.id,
    service: job.service,
    type: job.type,
    state: job.state,
    context: job.context,
    payload: job.payload ?? null,
    createdAt: job.createdAt,
    updatedAt: job.updatedAt,
    tries: job.tries,
    maxTries: job.maxTries,
  };
  if (job.result !== undefined) wire.result = job.result;
  if (job.startedAt !== undefined) wire.startedAt = job.startedAt;
  if (job.completedAt !== undefined) wire.completedAt = job.completedAt;
  if (job.lastError !== undefined) wire.lastError = job.lastError;
  if (job.deadline !== undefined) wire.deadline = job.deadline;
  if (job.progress !== undefined) wire.progress = job.progress;
  if (job.logs.length > 0) wire.logs = job.logs;
  if (job.concurrency !== undefined) {
    const { slotToken: _secret, ...shown } = job.concurrency;
    wire.concurrency = shown;
  }
  if (job.queuePolicy !== undefined) wire.queuePolicy = job.queuePolicy;
  if (job.cancelRequestedAt !== undefined) wire.cancelRequestedAt = job.cancelRequestedAt;
  if (job.instanceId !== undefined) wire.instanceId = job.instanceId;
  if (job.headMissing) wire.headMissing = true;
  return wire;
}
