// Marks active jobs whose worker is gone, for those who look at them. Nothing is ever decided by it: what becomes of such a job
// is between JetStream, its next worker and the janitor (protocol: creating and running a job, worker heartbeat).
import type { Job } from '@trellis/contracts';
import { type PresenceReader, StoreUnavailable, type WorkerIdentity } from '@trellis/store-postgres';

/** The same jobs, `workerLost` where the worker is known to be gone. */
export async function markLostWorkers(jobs: Job[], presence: Pick<PresenceReader, 'gone'>): Promise<Job[]> {
  const workers = new Map<string, WorkerIdentity>();
  for (const job of jobs) {
    const worker = workerOf(job);
    if (worker) workers.set(keyOf(worker), worker);
  }
  if (workers.size === 0) return jobs;
  const gone = new Set((await askGone([...workers.values()], presence)).map(keyOf));
  if (gone.size === 0) return jobs;
  return jobs.map((job) => {
    const worker = workerOf(job);
    return worker && gone.has(keyOf(worker)) ? { ...job, workerLost: true } : job;
  });
}

async function askGone(workers: WorkerIdentity[], presence: Pick<PresenceReader, 'gone'>): Promise<WorkerIdentity[]> {
  try {
    return await presence.gone(workers);
  } catch (error) {
    // The jobs were read: they are worth showing without the mark.
    if (error instanceof StoreUnavailable) return [];
    throw error;
  }
}

const workerOf = ({ service, type, state, instanceId }: Job): WorkerIdentity | undefined =>
  state === 'active' && instanceId !== undefined ? { service, type, instanceId } : undefined;

const keyOf = ({ service, type, instanceId }: WorkerIdentity): string => `${service} ${type} ${instanceId}`;
