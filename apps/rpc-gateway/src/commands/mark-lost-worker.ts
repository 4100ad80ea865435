// Marks an active job whose worker is gone, where the job was read from the stream; rows of the projection come with the mark.
// For display only: JetStream, the next worker and the janitor decide what becomes of such a job.
import type { Job } from '@trellis/contracts';
import { type PresenceReader, StoreUnavailable } from '@trellis/store-postgres';

/** The same job, `workerLost` when its worker is known to be gone. */
export async function markLostWorker(job: Job, presence: Pick<PresenceReader, 'gone'>): Promise<Job> {
  const { service, type, state, instanceId } = job;
  if (state !== 'active' || instanceId === undefined) return job;
  try {
    const gone = await presence.gone([{ service, type, instanceId }]);
    return gone.length > 0 ? { ...job, workerLost: true } : job;
  } catch (error) {
    // The job was read: it is worth showing without the mark.
    if (error instanceof StoreUnavailable) return job;
    throw error;
  }
}
