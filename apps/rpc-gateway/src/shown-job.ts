// A job of the projection as the RPCs show it. What the fields mean is @trellis/contracts' business.
import type { Job } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import type { ReadJob } from '@trellis/store-postgres';
import { traceLinks } from './trace-link.ts';

/** @param traceUrlTemplate as in trace-link.ts */
export function shownJob(job: ReadJob, traceUrlTemplate: string | undefined): Job {
  const shown = toWireJob(job);
  if (job.workerLost) shown.workerLost = true;
  return Object.assign(shown, traceLinks(shown.context.traceId, traceUrlTemplate));
}
