// The interface of a measured job system: create a number of jobs, then run them with an empty handler.
import type { LatencyFigures } from '../latencies.ts';

export type SystemName = 'trellis' | 'bullmq' | 'graphile-worker';

export interface JobSystemTask {
  system: SystemName;
  /** `create-bulk`: as many jobs per call as the system accepts, if it has such a call. */
  phase: 'create' | 'create-bulk' | 'process';
  /** URL of the system's server. */
  url: string;
  /** Name of the queue; a new one each time. */
  name: string;
  jobs: number;
  /** Calls in flight while creating. */
  inFlight: number;
  /** Maximum number of jobs that run at a time. */
  concurrency: number;
  /** Number of keys; at most one job per key runs at a time. 0: no keys. */
  keys: number;
}

export interface PhaseFigures {
  ms: number;
  /** Latencies of the calls that create; empty while processing. */
  latencies?: LatencyFigures;
  /** Processor time of the process that created or ran the jobs. */
  cpuSeconds: number;
}

export type JobSystem = Record<
  JobSystemTask['phase'],
  (task: JobSystemTask) => Promise<Omit<PhaseFigures, 'cpuSeconds'>>
>;

const STALLED_MS = 60_000;

/** Counts finished jobs. Resolves after `jobs` jobs, rejects if none finishes for a minute. */
export function countDown(jobs: number): { one: () => void; done: Promise<void> } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = jobs;
  let seen = jobs;
  const watch = setInterval(() => {
    if (left === seen) reject(new Error(`no job has finished for a minute, ${left} of ${jobs} remain`));
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
