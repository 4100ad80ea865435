// Stores the outcome of a keyed attempt only while that attempt is the job's latest: a process that was paused right before
// its publish must not end a job that has ended or runs elsewhere.
import { type EventType, jobFilter, type LifecycleEvent } from '@trellis/contracts';
import { ENDING_EVENTS } from '@trellis/lifecycle';
import { jobLog, type WorkerScope } from '../worker/worker-scope.ts';
import { type Published, publishUntilKnown } from './publish-outcome.ts';
import type { RunningAttempt } from './running-attempt.ts';

export type Fenced =
  | Exclude<Published, { kind: 'conflict' }>
  /** Not stored: this event ended the job, or started another attempt. */
  | { kind: 'overtaken'; by: EventType };

const overtaking: ReadonlySet<EventType> = new Set(['started', ...ENDING_EVENTS]);

/** @throws {PublishError} when the host halts before the outcome is known */
export async function publishFenced(
  scope: WorkerScope,
  attempt: RunningAttempt,
  event: LifecycleEvent,
  json: string,
): Promise<Fenced> {
  const { stream, halt: signal } = scope;
  const { service, jobType, jobId } = event;
  const filter = jobFilter(service, jobType, jobId);
  const log = jobLog(scope, event);
  for (let lastSequence = attempt.lastSequence; ; ) {
    const published = await publishUntilKnown(stream, event, { json, expect: { lastSequence, filter }, signal, log });
    if (published.kind !== 'conflict') return published;
    const read = await stream.readJob(jobId);
    const later = read.events.filter((stored) => stored.sequence > attempt.startedSequence);
    const found = later.find((stored) => stored.event.service === service && overtaking.has(stored.event.eventType));
    if (found) return { kind: 'overtaken', by: found.event.eventType };
    lastSequence = read.lastSequence;
  }
}
