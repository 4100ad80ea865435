// What is recorded of the janitor: a span, a count and a time for each pass, and below it a span for each job that it acts on.
// What the passes found is in the ledger; the gateway makes gauges of it.
import { SpanKind } from '@opentelemetry/api';
import { ATTR, LINK, type SpanOperation, spanName, workSubject } from '@trellis/contracts';
import { countMetric, linkTo, recordMetric, withSpan } from '@trellis/instrumentation';
import type { Counts, PassResult } from './duties/duty.ts';
import type { JobIdentity } from './stream/read-job.ts';

const TRACER = 'trellis.janitor';

/** Lets the counters of a duty show from the start. */
export function showDuty(duty: string): void {
  for (const outcome of ['done', 'failed']) countMetric('trellis.janitor.passes', { duty, outcome }, 0);
}

/** Runs one pass in a span of its own. @throws what `run` throws */
export async function recordPass(duty: string, run: () => Promise<PassResult>): Promise<PassResult> {
  const started = performance.now();
  let outcome = 'failed';
  try {
    const attributes = { [ATTR.duty]: duty };
    const result = await withSpan(TRACER, `janitor ${duty}`, { root: true, attributes }, async (span) => {
      const passed = await run();
      for (const [action, times] of Object.entries(passed.counts))
        span.setAttribute(`${ATTR.actions}.${action}`, times);
      return passed;
    });
    outcome = 'done';
    countActions(duty, result.counts);
    return result;
  } finally {
    countMetric('trellis.janitor.passes', { duty, outcome });
    recordMetric('trellis.janitor.pass.duration', { duty }, (performance.now() - started) / 1_000);
  }
}

function countActions(duty: string, counts: Counts): void {
  for (const [action, times] of Object.entries(counts)) {
    countMetric('trellis.janitor.actions', { duty, action }, times);
  }
}

/** Acts on one job in a span that is linked to the job's creation. @throws what `act` throws */
export function actOnJob<Result>(
  operation: SpanOperation,
  { service, type, id }: JobIdentity,
  traceparent: string | undefined,
  act: () => Promise<Result>,
): Promise<Result> {
  const link = linkTo(traceparent, LINK.job);
  const options = {
    kind: SpanKind.INTERNAL,
    attributes: { [ATTR.jobId]: id, [ATTR.jobService]: service, [ATTR.jobType]: type },
    links: link ? [link] : [],
  };
  return withSpan(TRACER, spanName(operation, workSubject(service, type)), options, act);
}
