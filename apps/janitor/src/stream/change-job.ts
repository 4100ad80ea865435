// One change of one job by the janitor: read from the stream's leader, decide, publish on the condition that nothing has
// happened since; on a conflict read again. So no replica repeats what another one did.
import { jobFilter, type LifecycleEvent, type SpanOperation } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import { actOnJob } from '../janitor-telemetry.ts';
import type { JobPlan } from '../plan/plan-job.ts';
import { type JobIdentity, type ReadJob, readJob } from './read-job.ts';

export type Changed<Why extends string> =
  | { kind: 'published'; sequence: number; event: LifecycleEvent }
  | { kind: 'left'; why: Why | 'keeps-changing' };

export interface ChangeOptions {
  /** What the change is, for its span. */
  operation: SpanOperation;
  signal: AbortSignal;
  /** Publish without a condition when the job keeps changing; at most one event is stored under this id. */
  insistAs?: (event: LifecycleEvent, view: ReadJob) => string;
}

const MAX_ROUNDS = 5;

/**
 * @throws {PublishError} when it is not known whether the event was stored
 */
export async function changeJob<Why extends string>(
  stream: JobStream,
  identity: JobIdentity,
  decide: (view: ReadJob) => JobPlan<Why>,
  { operation, signal, insistAs }: ChangeOptions,
): Promise<Changed<Why>> {
  for (let round = 1; ; round++) {
    const view = await readJob(stream, identity);
    const plan = decide(view);
    if (plan.kind === 'leave') return { kind: 'left', why: plan.why };
    const { event } = plan;
    const insist = round > MAX_ROUNDS;
    if (insist && !insistAs) return { kind: 'left', why: 'keeps-changing' };
    const condition =
      insist && insistAs
        ? { messageId: insistAs(event, view), timeoutMs: 5_000 }
        : {
            expect: { lastSequence: view.lastSequence, filter: jobFilter(event.service, event.jobType, event.jobId) },
          };
    const outcome = await actOnJob(operation, identity, event.context.traceparent, () =>
      stream.publish(event, { signal, ...condition }),
    );
    if (outcome.kind === 'stored') return { kind: 'published', sequence: outcome.sequence, event };
  }
}
