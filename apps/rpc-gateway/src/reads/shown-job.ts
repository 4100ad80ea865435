// Jobs of the projection as the RPCs show them.
import type { Job } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import type { ReadJob } from '@trellis/store-postgres';
import { traceLinks, withTraceLink } from './trace-link.ts';

/** @param traceUrlTemplate as in trace-link.ts */
export function shownJob(job: ReadJob, traceUrlTemplate: string | undefined): Job {
  const shown = toWireJob(job);
  if (job.workerLost) shown.workerLost = true;
  return Object.assign(shown, traceLinks(shown.context.traceId, traceUrlTemplate));
}

/** JSON of jobs with commas between, with links to their traces where a tracing tool is configured. */
export function linkedJobs(jobs: string, traceUrlTemplate: string | undefined): string {
  if (traceUrlTemplate === undefined) return jobs;
  const linked = (JSON.parse(`[${jobs}]`) as Job[]).map((job) => withTraceLink(job, traceUrlTemplate));
  return JSON.stringify(linked).slice(1, -1);
}
