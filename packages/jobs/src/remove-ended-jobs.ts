// Removes a service's own old jobs from the stream. The janitor then removes their rows as stale rows; it also does the
// retention of a whole deployment.
import { eventSubject, jobFilter, parseEventSubject } from '@trellis/contracts';
import { isEnded } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';

export interface RemovalOptions {
  service: string;
  /** Jobs created before this are removed once they have ended. */
  before: Date;
  /** Most jobs checked in one call. */
  limit: number;
  signal: AbortSignal;
}

export interface Removal {
  removed: number;
  /** Old jobs that have not ended; they stay. */
  open: number;
  /** Jobs older than `before` may be left: the limit was reached. */
  more: boolean;
}

/** Purges ended jobs of one service, oldest first. */
export async function removeEndedJobs(
  stream: JobStream,
  { service, before, limit, signal }: RemovalOptions,
): Promise<Removal> {
  const created = eventSubject(service, '*', '*', 'created');
  const done: Removal = { removed: 0, open: 0, more: false };
  for (
    let message = await stream.nextOf(created, 1);
    message;
    message = await stream.nextOf(created, message.sequence + 1)
  ) {
    if (message.storedAt >= before.toISOString()) return done;
    if (done.removed + done.open === limit || signal.aborted) return { ...done, more: true };
    const subject = parseEventSubject(message.subject);
    if (subject === undefined) continue;
    const { job, lastSequence } = await stream.readJob(subject.jobId);
    if (job && !isEnded(job.state)) {
      done.open++;
      continue;
    }
    // The sequence is exclusive: later messages stay. An unreadable job ends with its `created`.
    const seq = Math.max(lastSequence, message.sequence) + 1;
    const filter = jobFilter(subject.service, subject.jobType, subject.jobId);
    await stream.jsm.streams.purge(stream.names.jobs, { filter, seq });
    done.removed++;
  }
  return done;
}
