// What the janitor decides about one job, given what the stream holds of it. Pure: the time is passed in. The duties read
// and publish.
import type { JobState, LifecycleEvent, StoredEvent } from '@trellis/contracts';
import { deadlineOfRerun, type FoldedJob, isEnded, isOverdue } from '@trellis/lifecycle';
import type { WorkOrigin } from '../stream/work-queue.ts';

/** The basis of a decision: the job folded from the stream's leader, and its events. */
export interface JobView {
  job: FoldedJob | undefined;
  events: readonly StoredEvent[];
}

/** Publish an event on the condition that the job has not changed, or leave the job for a reason that is counted. */
export type JobPlan<Why extends string> = { kind: 'publish'; event: LifecycleEvent } | { kind: 'leave'; why: Why };

const leave = <Why extends string>(why: Why): { kind: 'leave'; why: Why } => ({ kind: 'leave', why });

/** Who acts, and when (milliseconds since the epoch). */
export interface Acting {
  now: number;
  instanceId: string;
}

/** An event of the janitor about `job`. */
function janitorEvent(
  job: FoldedJob,
  fields: Pick<LifecycleEvent, 'eventType' | 'state'> & Partial<LifecycleEvent>,
  { now, instanceId }: Acting,
): LifecycleEvent {
  return {
    jobId: job.id,
    service: job.service,
    jobType: job.type,
    previousState: job.state,
    timestamp: new Date(now).toISOString(),
    context: job.context,
    tries: job.tries,
    actor: { kind: 'janitor', id: instanceId },
    ...fields,
  };
}

const DEADLINE_ERROR = 'job exceeded deadline';

/** Ends an open job whose deadline has passed. */
export function planDeadline({ job }: JobView, acting: Acting): JobPlan<'gone' | 'ended' | 'not-due'> {
  if (!job) return leave('gone');
  if (isEnded(job.state)) return leave('ended');
  if (!isOverdue(job.deadline, acting.now)) return leave('not-due');
  const { deadline } = job;
  const event = janitorEvent(job, { eventType: 'expired', state: 'expired', error: DEADLINE_ERROR, deadline }, acting);
  return { kind: 'publish', event };
}

export interface Exhaustion {
  origin: WorkOrigin;
  /** Sequence of the work message. */
  workSequence: number;
  deliveries: number;
}

/**
 * Ends a job as `dead` when its work message has used up its deliveries, if that message belongs to the job's present run.
 * The work message is removed in every case but `unknown-job`.
 */
export function planExhaustion(
  { job, events }: JobView,
  exhaustion: Exhaustion,
  acting: Acting,
): JobPlan<'unknown-job' | 'ended' | 'superseded'> {
  const { origin, workSequence, deliveries } = exhaustion;
  if (!job) return leave('unknown-job');
  if (isSuperseded(events, origin)) return leave('superseded');
  if (isEnded(job.state)) return leave('ended');
  const times = deliveries === 1 ? 'once' : `${deliveries} times`;
  const last = job.lastError === undefined ? '' : `; the last error was: ${job.lastError}`;
  const event = janitorEvent(
    job,
    {
      eventType: 'dead',
      state: 'dead',
      error: `its work was delivered ${times} without success${last}`,
      reason: 'max deliveries reached',
      workSequence,
    },
    acting,
  );
  return { kind: 'publish', event };
}

/** Superseded, as a worker decides it: a later `retried`, or a `created` that is not the first. */
function isSuperseded(events: readonly StoredEvent[], origin: WorkOrigin): boolean {
  if (events.some(({ sequence, event }) => event.eventType === 'retried' && sequence > origin.sequence)) return true;
  const created = events.find(({ event }) => event.eventType === 'created');
  return origin.event === 'created' && created !== undefined && created.sequence !== origin.sequence;
}

/** Whether a worker could still be working on a job, or be about to. */
export interface Traces {
  workMessage: boolean;
  worker: boolean;
  /** A lease on its key, RFC 3339; undefined where there is none. */
  leaseExpiresAt: string | undefined;
}

export type LostVerdict =
  | { kind: 'lost'; job: FoldedJob }
  | { kind: 'alive'; why: 'ended' | 'quiet-too-short' | 'traced' };

/** States in which a worker holds a delivery of the job, or will receive one. */
export const LOSABLE_STATES = ['active', 'retry'] as const satisfies JobState[];

/** Whether nobody will continue a started job: no work message, no worker, no lease, no event for `graceMs`. */
export function judgeLost({ job, events }: JobView, traces: Traces, now: number, graceMs: number): LostVerdict {
  if (!job || !LOSABLE_STATES.some((state) => state === job.state)) return { kind: 'alive', why: 'ended' };
  const lastSign = events.at(-1)?.storedAt;
  if (lastSign === undefined || now - Date.parse(lastSign) < graceMs) return { kind: 'alive', why: 'quiet-too-short' };
  // While it waits for its next attempt no worker holds it: only a work message can continue it.
  const worker = job.state === 'active' && traces.worker;
  const leased = traces.leaseExpiresAt !== undefined && Date.parse(traces.leaseExpiresAt) > now;
  return traces.workMessage || worker || leased ? { kind: 'alive', why: 'traced' } : { kind: 'lost', job };
}

const LOST_ERROR = 'the job was lost: no work message, no worker and no lease were left of it';
const LOST_REASON = 'repair of a lost job';

export type RequeuePlan =
  /** `failed`, and, on the condition that nothing came after it, `retried`. */
  | { kind: 'requeue'; failed: LifecycleEvent; retried: LifecycleEvent }
  /** No attempt is left: an operator decides. */
  | { kind: 'bury'; dead: LifecycleEvent }
  | { kind: 'leave'; why: 'payload-gone' };

/** How a lost job runs again: only an ended job can be retried (docs/lifecycle.md). */
export function planRequeue(job: FoldedJob, events: readonly StoredEvent[], acting: Acting): RequeuePlan {
  if (job.tries >= job.maxTries) {
    const dead = { eventType: 'dead', state: 'dead', error: LOST_ERROR, reason: LOST_REASON } as const;
    return { kind: 'bury', dead: janitorEvent(job, dead, acting) };
  }
  const origin = events.findLast(({ event }) => 'payload' in event && isOrigin(event));
  if (!origin) return { kind: 'leave', why: 'payload-gone' };
  const deadline = deadlineOfRerun(job, acting.now);
  const failed = { eventType: 'failed', state: 'failed', error: LOST_ERROR, reason: LOST_REASON } as const;
  const retried = {
    eventType: 'retried',
    state: 'pending',
    previousState: 'failed',
    tries: 0,
    maxTries: job.maxTries,
    payload: origin.event.payload,
    reason: LOST_REASON,
    ...(job.concurrency && { concurrency: { key: job.concurrency.key, keyHash: job.concurrency.keyHash } }),
    ...(deadline === undefined ? {} : { deadline }),
  } as const;
  return {
    kind: 'requeue',
    failed: janitorEvent(job, failed, acting),
    retried: janitorEvent(job, retried, acting),
  };
}

/** Whether an event puts work into the queue. */
export const isOrigin = ({ eventType }: LifecycleEvent): boolean => eventType === 'created' || eventType === 'retried';
