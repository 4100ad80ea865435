// The one fold: a job and its next event give the job after it. Pure: no clock, no randomness, no I/O.
// The stream's order decides; what a worker says after the end changes nothing.
import type { EventType, JobContext, JobState, LifecycleEvent, LogEntry, StoredEvent } from '@trellis/contracts';
import { deadlineOfRerun } from './deadline.ts';
import { isEnded, TRANSITIONS } from './transitions.ts';
import { countTries } from './tries.ts';

/** maxTries of a job whose events do not say. */
const DEFAULT_MAX_TRIES = 5;

/** A job folded from its events. Instants are RFC 3339 UTC, sequences are those of the JOBS stream. */
export interface FoldedJob {
  id: string;
  service: string;
  type: string;
  state: JobState;
  context: JobContext;
  payload: unknown;
  result: unknown;
  createdAt: string;
  updatedAt: string;
  startedAt: string | undefined;
  completedAt: string | undefined;
  tries: number;
  maxTries: number;
  lastError: string | undefined;
  deadline: string | undefined;
  progress: LifecycleEvent['progress'];
  /** The lines of the events folded since this value was loaded. */
  logs: LogEntry[];
  concurrency: LifecycleEvent['concurrency'];
  queuePolicy: LifecycleEvent['queuePolicy'];
  cancelRequestedAt: string | undefined;
  instanceId: string | undefined;
  /** No `created` was seen: the stream no longer holds the job's first events. */
  headMissing: boolean;
  /** The worker gave the started work back: the next `started` is no new attempt. */
  handedBack: boolean;
  /** Sequence and time of the `created` or `retried` that began the present run. */
  originSequence: number;
  originAt: string;
  /** Sequence of the first event. */
  firstSequence: number;
  /** Sequence of the last event that changed the job. */
  lastSequence: number;
}

export type IgnoredBecause =
  /** The event is not newer than what was folded already. */
  | 'already-applied'
  /** A second `created` of a job that exists. */
  | 'already-created'
  /** The event is of another service or type than the job. */
  | 'foreign-owner'
  /** Execution had ended before. */
  | 'already-ended'
  /** The job's state is none that the event may leave. */
  | 'not-accepted'
  /** The event never changes a job. */
  | 'history-only';

export type Reduced = { kind: 'applied'; job: FoldedJob } | { kind: 'ignored'; why: IgnoredBecause };

const ignored = (why: IgnoredBecause): Reduced => ({ kind: 'ignored', why });

/**
 * The job after `stored`, or why it changes nothing. Never throws and never changes its arguments.
 * @param job the job so far; undefined when none is known
 */
export function reduce(job: FoldedJob | undefined, stored: StoredEvent): Reduced {
  const { event, sequence } = stored;
  if (job === undefined) return begin(stored);
  if (job.service !== event.service || job.type !== event.jobType || job.id !== event.jobId)
    return ignored('foreign-owner');
  if (sequence <= job.lastSequence) return ignored('already-applied');
  if (event.eventType === 'created') return ignored('already-created');
  const transition = TRANSITIONS[event.eventType];
  if (transition.from.length === 0) return ignored('history-only');
  if (!transition.from.includes(job.state)) return ignored(isEnded(job.state) ? 'already-ended' : 'not-accepted');
  return { kind: 'applied', job: apply(job, stored, transition.to === 'same' ? job.state : transition.to) };
}

/** The events of one job, in stream order, folded from nothing. */
export function fold(events: Iterable<StoredEvent>): FoldedJob | undefined {
  let job: FoldedJob | undefined;
  for (const stored of events) {
    const outcome = reduce(job, stored);
    if (outcome.kind === 'applied') job = outcome.job;
  }
  return job;
}

function begin(stored: StoredEvent): Reduced {
  const { event } = stored;
  const head: FoldedJob = {
    id: event.jobId,
    service: event.service,
    type: event.jobType,
    state: 'pending',
    context: event.context,
    payload: null,
    result: undefined,
    createdAt: event.timestamp,
    updatedAt: event.timestamp,
    startedAt: undefined,
    completedAt: undefined,
    tries: 0,
    maxTries: event.maxTries ?? DEFAULT_MAX_TRIES,
    lastError: undefined,
    deadline: event.deadline,
    progress: undefined,
    logs: [],
    concurrency: event.concurrency,
    queuePolicy: event.queuePolicy,
    cancelRequestedAt: undefined,
    instanceId: undefined,
    headMissing: event.eventType !== 'created',
    handedBack: false,
    originSequence: stored.sequence,
    originAt: event.timestamp,
    firstSequence: stored.sequence,
    lastSequence: stored.sequence,
  };
  if (event.eventType === 'created') return { kind: 'applied', job: { ...head, payload: event.payload } };
  const { from, to } = TRANSITIONS[event.eventType];
  if (from.length === 0) return ignored('history-only');
  // The head is missing: take the event's word for where the job stood.
  return { kind: 'applied', job: apply(head, stored, to === 'same' ? event.state : to) };
}

const latest = (a: string, b: string): string => (a > b ? a : b);

function apply(job: FoldedJob, stored: StoredEvent, state: JobState): FoldedJob {
  const { event, sequence } = stored;
  const next: FoldedJob = {
    ...job,
    state,
    updatedAt: latest(job.updatedAt, event.timestamp),
    lastSequence: sequence,
  };
  if (event.concurrency) next.concurrency = { ...job.concurrency, ...event.concurrency };
  if (event.queuePolicy) next.queuePolicy = event.queuePolicy;
  if (event.error !== undefined) next.lastError = event.error;
  effects[event.eventType]?.(next, stored, job);
  if (isEnded(state) && !isEnded(job.state)) next.completedAt = event.timestamp;
  return next;
}

/** What an event does besides entering its state. */
const effects: Partial<Record<EventType, (next: FoldedJob, stored: StoredEvent, before: FoldedJob) => void>> = {
  started(next, { event }, before) {
    const { tries, handedBack } = countTries(before, event);
    next.tries = tries;
    next.handedBack = handedBack;
    next.startedAt = event.timestamp;
    next.instanceId = event.instanceId ?? event.concurrency?.instanceId;
    next.progress = undefined;
  },
  retry(next, { event }, before) {
    const { tries, handedBack } = countTries(before, event);
    next.tries = tries;
    next.handedBack = handedBack;
    next.instanceId = undefined;
  },
  completed(next, { event }, before) {
    next.tries = Math.max(event.tries, before.tries);
    next.result = event.result;
  },
  failed: triesOfOutcome,
  dead: triesOfOutcome,
  stale: triesOfOutcome,
  progress(next, { event }) {
    next.progress = event.progress;
  },
  logged(next, { event }, before) {
    if (event.logs) next.logs = [...before.logs, ...event.logs];
  },
  cancelRequested(next, { event }, before) {
    next.cancelRequestedAt = before.cancelRequestedAt ?? event.timestamp;
  },
  retried(next, { event, sequence }, before) {
    const { tries, handedBack } = countTries(before, event);
    next.tries = tries;
    next.handedBack = handedBack;
    next.maxTries = event.maxTries ?? before.maxTries;
    if ('payload' in event) next.payload = event.payload;
    next.deadline = event.deadline ?? deadlineOfRerun(before, Date.parse(event.timestamp));
    next.result = undefined;
    next.startedAt = undefined;
    next.completedAt = undefined;
    next.progress = undefined;
    next.cancelRequestedAt = undefined;
    next.instanceId = undefined;
    next.originSequence = sequence;
    next.originAt = event.timestamp;
  },
};

function triesOfOutcome(next: FoldedJob, { event }: StoredEvent, before: FoldedJob): void {
  next.tries = Math.max(event.tries, before.tries);
}
