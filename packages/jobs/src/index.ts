export type { ActiveJob } from './active-job.ts';
export * from './errors.ts';
export type { CreateOptions, JobQueue, Submission } from './job-queue.ts';
export type { EndedState, JobOutcome, JobRef, WaitOptions } from './job-ref.ts';
export { KeyRecordError } from './key-records.ts';
export { resolveKey } from './key-template.ts';
export { type Queue, type QueueOptions, type QueueSettings, queue } from './queue.ts';
export { type Removal, type RemovalOptions, removeEndedJobs } from './remove-ended-jobs.ts';
export type { Handler } from './run-handler.ts';
export {
  createService,
  DEFAULT_JOIN_TRACE_MS,
  type JobService,
  type Jobs,
  type ServiceOptions,
  type StopOptions,
} from './service.ts';
export type { WorkerCounts } from './worker-scope.ts';
