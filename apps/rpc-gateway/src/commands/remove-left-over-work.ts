// Removes the work message of an earlier run. Housekeeping only: a worker discards a message that stays.
import { JetStreamApiError } from '@nats-io/jetstream';
import type { Logger } from '@trellis/async';
import { decodeEvent, type EventType, eventSubject } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { type JobStream, whenConnected } from '@trellis/nats';

/** Events in which a worker or the janitor names the work message. */
const NAMING_EVENTS: EventType[] = ['started', 'retry', 'failed', 'dead'];
const NO_MESSAGE_FOUND = 10_057;

/**
 * Removes the work messages that the job's events before `sequence` name, if they are still this job's: a queue that
 * was recreated counts from 1 again.
 * @param sequence in JOBS, of the event that queued the job again
 */
export async function removeLeftOverWork(
  stream: JobStream,
  job: FoldedJob,
  sequence: number,
  log: Logger,
): Promise<void> {
  const named = await stream.lastOfEvents(job.service, job.type, job.id, NAMING_EVENTS);
  const workSequences = new Set<number>();
  for (const message of named.values()) {
    if (message.sequence >= sequence) continue;
    const decoded = decodeEvent(message);
    const workSequence = decoded.kind === 'event' ? decoded.stored.event.workSequence : undefined;
    if (workSequence !== undefined && workSequence > 0) workSequences.add(workSequence);
  }
  for (const workSequence of workSequences) {
    if (await remove(stream, job, { workSequence, sequence })) {
      const fields = { jobId: job.id, service: job.service, jobType: job.type, workSequence };
      log.info(fields, 'the left-over work message of an earlier run is removed');
    }
  }
}

async function remove(
  stream: JobStream,
  job: FoldedJob,
  { workSequence, sequence }: { workSequence: number; sequence: number },
): Promise<boolean> {
  await whenConnected(stream.nc);
  const message = await stream.jsm.streams.getMessage(stream.names.work, { seq: workSequence });
  if (!message || !isEarlierRun(message.header?.get('Nats-Stream-Source') ?? '', stream, job, sequence)) return false;
  try {
    return await stream.jsm.streams.deleteMessage(stream.names.work, workSequence, false);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NO_MESSAGE_FOUND) return false;
    throw error;
  }
}

/** Stream, sequence, filters, destinations and original subject in one header (docs/protocol.md#work-messages-and-consumers). */
function isEarlierRun(source: string, { names }: JobStream, { service, type, id }: FoldedJob, before: number): boolean {
  // The list fields hold form feeds: only a single space separates.
  const [from, origin, , , original] = source.split(' ');
  if (from?.split(':')[0] !== names.jobs || !(Number(origin) < before)) return false;
  return (['created', 'retried'] as const).some((event) => original === eventSubject(service, type, id, event));
}
