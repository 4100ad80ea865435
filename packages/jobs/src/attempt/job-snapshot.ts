// Reads a snapshot of a job from the JOBS stream: the last message of each event type in one request, or, where that does
// not suffice, every event of the job from the leader.
import { decodeEvent, EVENT_TYPES, type EventType, eventSubject, type StoredMessage } from '@trellis/contracts';
import { countTries, type Tries } from '@trellis/lifecycle';
import type { JobStream, ReadJob } from '@trellis/nats';
import type { Origin } from '../delivery/work-message.ts';
import type { JobSnapshot, LastEvent } from './decide-delivery.ts';

export interface SnapshotRequest {
  service: string;
  jobType: string;
  jobId: string;
  origin: Origin;
}

/** What the stream holds of a job; undefined when it holds nothing. @throws when the servers do not answer */
export async function readJobSnapshot(stream: JobStream, job: SnapshotRequest): Promise<JobSnapshot | undefined> {
  const { service, jobType, jobId } = job;
  // Read first: an event stored after this fails a condition on this sequence.
  const newest = await stream.lastOfJob(service, jobType, jobId);
  if (newest === undefined) return undefined;
  const quick = await snapshotFromLastMessages(stream, job, newest);
  return quick ?? snapshotFromEvents(await stream.readJob(jobId), job, newest.sequence);
}

/** The snapshot from last messages; undefined when it cannot be trusted. */
async function snapshotFromLastMessages(
  stream: JobStream,
  job: SnapshotRequest,
  newest: StoredMessage,
): Promise<JobSnapshot | undefined> {
  const { service, jobType, jobId, origin } = job;
  const messages = await stream.lastOfEvents(service, jobType, jobId, EVENT_TYPES);
  // A replica that lags would show a job before its cancellation: only one that has the newest message counts.
  if (!Array.from(messages.values()).some((message) => message.sequence >= newest.sequence)) return undefined;
  const last = new Map<EventType, LastEvent>();
  for (const [type, message] of messages) {
    if (message.sequence < origin.sequence) continue;
    const seen = decodeLastEvent(message);
    // The projection ignores quarantined messages: the message before it counts.
    if (seen === undefined) return undefined;
    last.set(type, seen);
  }
  const started = last.get('started')?.event;
  // Other implementations repeat the same number for every attempt: starts must be counted.
  if (started !== undefined && started.instanceId === undefined) return undefined;
  let firstCreated: number | undefined;
  if (origin.event === 'created') {
    const first = await stream.nextOf(eventSubject(service, jobType, jobId, 'created'), 1);
    if (first && decodeLastEvent(first) === undefined) return undefined;
    firstCreated = first?.sequence;
  }
  return { lastSequence: newest.sequence, last, firstCreated, tries: started?.tries ?? 0 };
}

/** The snapshot from all events of the job, as the leader holds them. */
export function snapshotFromEvents(
  read: Pick<ReadJob, 'events'>,
  job: SnapshotRequest,
  lastSequence: number,
): JobSnapshot {
  const last = new Map<EventType, LastEvent>();
  let firstCreated: number | undefined;
  let counted: Tries = { tries: 0, handedBack: false };
  for (const { sequence, event } of read.events) {
    if (event.service !== job.service || event.jobType !== job.jobType) continue;
    if (event.eventType === 'created') firstCreated ??= sequence;
    if (sequence > job.origin.sequence) {
      if (event.eventType !== 'retried') counted = countTries(counted, event);
    }
    last.set(event.eventType, { sequence, event });
  }
  return { lastSequence, last, firstCreated, tries: counted.tries };
}

function decodeLastEvent(message: StoredMessage): LastEvent | undefined {
  const decoded = decodeEvent(message);
  return decoded.kind === 'event' ? { sequence: decoded.stored.sequence, event: decoded.stored.event } : undefined;
}
