// The page of a job's trace in the site's own tracing tool. Pure.
import type { Job } from '@trellis/contracts';

export const TRACE_ID_PLACE = '{traceId}';

/** @param template a URL with {traceId} in it; undefined: the site has no such tool */
export function traceLinks(traceId: string, template: string | undefined): { links?: { trace: string } } {
  if (template === undefined) return {};
  return { links: { trace: template.replaceAll(TRACE_ID_PLACE, encodeURIComponent(traceId)) } };
}

export const withTraceLink = (job: Job, template: string | undefined): Job => ({
  ...job,
  ...traceLinks(job.context.traceId, template),
});
