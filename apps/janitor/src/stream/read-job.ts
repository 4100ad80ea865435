// Every event of one job whose owner is known, from the stream's leader, folded.
import type { JobStream } from '@trellis/nats';
import type { JobView } from '../plan/plan-job.ts';

export interface JobIdentity {
  service: string;
  type: string;
  id: string;
}

export interface ReadJob extends JobView {
  /** Sequence of the job's last message, 0 when there is none. For conditions. */
  lastSequence: number;
}

const NOTHING: ReadJob = { job: undefined, events: [], lastSequence: 0 };

/** @returns no job when the stream holds none of it, or the id belongs to somebody else */
export async function readJob(stream: JobStream, { service, type, id }: JobIdentity): Promise<ReadJob> {
  const { job, events, lastSequence } = await stream.readJob(id);
  if (job?.service !== service || job.type !== type) return NOTHING;
  const own = events.filter(({ event }) => event.service === service && event.jobType === type);
  return { job, events: own, lastSequence };
}
