// What is asked of each job system that is measured: create so many jobs, then run them with a handler that does nothing.
import type { LatencyFigures } from '../latencies.ts';

export type SystemName = 'trellis' | 'bullmq' | 'graphile-worker';

export interface JobSystemTask {
  system: SystemName;
  /** `create-bulk`: as many jobs a call as the system takes, where it has such a call. */
  phase: 'create' | 'create-bulk' | 'process';
  /** The system's server. */
  url: string;
  /** Of the queue; a new one each time. */
  name: string;
  jobs: number;
  /** Calls in flight while creating. */
  inFlight: number;
  /** Jobs run at a time. */
  concurrency: number;
  /** Jobs of the same of so many keys exclude each other; 0: no keys. */
  keys: number;
}

export interface PhaseFigures {
  ms: number;
  /** Of one call that creates; of nothing while processing. */
  latencies?: LatencyFigures;
  /** Processor time of the process that created or worked. */
  cpuSeconds: number;
}

export type JobSystem = Record<
  JobSystemTask['phase'],
  (task: JobSystemTask) => Promise<Omit<PhaseFigures, 'cpuSeconds'>>
>;

const STALLED_MS = 60_000;

/** Counts finished jobs: resolves when `jobs` are, rejects when none is for a minute. */
export function countDown(jobs: number): { one: () => void; done: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = jobs;
  let seen = jobs;
  const watch = setInterval(() => {
    if (left === seen) reject(new Error(`no job ended for a minute, ${left} of ${jobs} are left`));
    seen = left;
  }, STALLED_MS);
  return {
    one: () => {
      left -= 1;
      if (left === 0) resolve();
    },
    done: promise.finally(() => clearInterval(watch)),
  };
}
