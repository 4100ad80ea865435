// What the events of a job say about its creation and its attempts: which spans there must have been, when, and how they ended.
// Pure. Which of them arrived is build-trace.ts.
import type { EventType, LogEntry, StoredEvent } from '@trellis/contracts';
import { spanContextOf } from '@trellis/instrumentation';
import { type FoldedJob, isEnded, reduce } from '@trellis/lifecycle';

export interface SpanIds {
  traceId: string;
  spanId: string;
}

export interface StoryAttempt extends SpanIds {
  /** From 1, again after each `retried`. */
  number: number;
  /** False: the worker gave its span no name; the ids are made up. */
  traced: boolean;
  /** Milliseconds since 1970; `endMs` is that of the last sign of it. */
  startMs: number;
  endMs: number;
  instanceId: string | undefined;
  /** How it ended: an event, `lost` when nothing tells; undefined while it continues. */
  outcome: EventType | 'lost' | undefined;
  error: string | undefined;
}

interface StoryLine extends LogEntry {
  /** Place in `attempts`; undefined: before the first. */
  attempt: number | undefined;
}

export interface JobStory {
  id: string;
  service: string;
  type: string;
  requestId: string;
  /** The span that the job's context names: that of its creation, or one that its creator named. */
  context: SpanIds;
  createdMs: number;
  attempts: StoryAttempt[];
  lines: StoryLine[];
  /** Milliseconds of the last event. */
  lastMs: number;
  ended: boolean;
}

/** Events that say how an attempt ended. */
const OUTCOMES: ReadonlySet<EventType> = new Set([
  'retry',
  'completed',
  'failed',
  'dead',
  'cancelled',
  'expired',
  'stale',
  'staleCompletionIgnored',
]);
/** Outcomes whose error is the attempt's. */
const FAILURES: ReadonlySet<EventType> = new Set(['retry', 'failed', 'dead', 'stale']);

/** @param events of one job, in stream order, at least one */
export function tellStory(events: readonly StoredEvent[]): JobStory | undefined {
  const [first] = events;
  if (!first) return undefined;
  const { jobId, service, jobType, context, timestamp } = first.event;
  const story: JobStory = {
    id: jobId,
    service,
    type: jobType,
    requestId: context.requestId,
    context: spanContextOf(context.traceparent) ?? { traceId: context.traceId, spanId: `created-${first.sequence}` },
    createdMs: Date.parse(timestamp),
    attempts: [],
    lines: [],
    lastMs: Date.parse(timestamp),
    ended: false,
  };
  let job: FoldedJob | undefined;
  for (const stored of events) {
    const outcome = reduce(job, stored);
    if (outcome.kind === 'applied') job = outcome.job;
    tell(story, stored, job);
  }
  story.ended = job !== undefined && isEnded(job.state);
  return story;
}

function tell(story: JobStory, { event, sequence }: StoredEvent, job: FoldedJob | undefined): void {
  const atMs = Date.parse(event.timestamp);
  story.lastMs = Math.max(story.lastMs, atMs);
  const current = story.attempts.at(-1);
  if (event.eventType === 'started') {
    if (current && current.outcome === undefined) current.outcome = 'lost';
    const span = spanContextOf(event.attemptTraceparent);
    story.attempts.push({
      traceId: span?.traceId ?? story.context.traceId,
      spanId: span?.spanId ?? `started-${sequence}`,
      traced: span !== undefined,
      number: Math.max(job?.tries ?? event.tries, 1),
      startMs: atMs,
      endMs: atMs,
      instanceId: event.instanceId,
      outcome: undefined,
      error: undefined,
    });
    return;
  }
  const during = current?.outcome === undefined ? current : undefined;
  if (during) during.endMs = Math.max(during.endMs, atMs);
  if (during && OUTCOMES.has(event.eventType)) {
    // The janitor's `dead` comes for an attempt that nobody ended.
    const byJanitor = event.eventType === 'dead' && event.actor?.kind === 'janitor';
    during.outcome = byJanitor ? 'lost' : event.eventType;
    if (FAILURES.has(event.eventType)) during.error = event.error;
  }
  for (const line of event.logs ?? []) {
    story.lines.push({ ...line, attempt: current ? story.attempts.length - 1 : undefined });
  }
}
