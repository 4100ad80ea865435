// Which jobs of a trace belong into the picture of one: those that it made, directly or not, and those that made it. Others in
// the same trace, such as those that the same request made beside it, are shown as far as their spans tell. Pure.
import { ATTR } from '@trellis/contracts';
import type { Span } from '@trellis/store-traces';
import { createdJob } from './build-trace.ts';

/** @param known jobs that belong to it already; the answer is without them, those that began first before others */
export function findRelatives(known: ReadonlySet<string>, spans: readonly Span[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const creations = new Map<string, Span>();
  const named = new Set<string>();
  for (const span of spans) {
    const jobId = span.attributes[ATTR.jobId];
    if (jobId !== undefined) named.add(jobId);
    const created = createdJob(span);
    if (created !== undefined) creations.set(created, span);
  }
  const ancestry = (jobId: string) => jobsAbove(creations.get(jobId), byId);
  const ofKnown = [...known].map(ancestry);
  const makers = new Set(ofKnown.flatMap(({ jobs }) => jobs));
  // Where a span is lost on the way up, any job of the trace may be above it.
  const anyMaker = ofKnown.some(({ broken }) => broken);
  return [...named].filter((jobId) => {
    if (known.has(jobId)) return false;
    if (anyMaker || makers.has(jobId)) return true;
    const { jobs, broken } = ancestry(jobId);
    return broken || jobs.some((maker) => known.has(maker));
  });
}

/** The jobs that the spans above one work on; `broken`: one of these spans, or itself, never arrived. */
function jobsAbove(span: Span | undefined, byId: ReadonlyMap<string, Span>): { jobs: string[]; broken: boolean } {
  const jobs: string[] = [];
  const seen = new Set<Span>();
  let at = span;
  while (at && at.parentSpanId !== '' && !seen.has(at)) {
    seen.add(at);
    at = byId.get(at.parentSpanId);
    const jobId = at?.attributes[ATTR.jobId];
    if (jobId !== undefined) jobs.push(jobId);
  }
  return { jobs, broken: at === undefined };
}
