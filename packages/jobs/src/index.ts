export type { ActiveJob } from './attempt/active-job.ts';
export type { Handler } from './attempt/run-handler.ts';
export {
  AdmissionRejected,
  ConsumerConflict,
  JobStopped,
  NonRetryableError,
  STOP_REASONS,
  type StopReason,
  ValidationError,
  WaitTimeoutError,
} from './errors.ts';
export type { CreateOptions, JobQueue, Submission } from './job-queue.ts';
export type { EndedState, JobOutcome, JobRef, WaitOptions } from './job-ref.ts';
export { KeyRecordError } from './keys/key-records.ts';
export { resolveKey } from './keys/key-template.ts';
export { type Queue, type QueueOptions, type QueueSettings, queue } from './queue.ts';
export { type Removal, type RemovalOptions, removeEndedJobs } from './remove-ended-jobs.ts';
export {
  createService,
  DEFAULT_JOIN_TRACE_MS,
  type JobService,
  type Jobs,
  type ServiceOptions,
  type StopOptions,
} from './service.ts';
export type { WorkerCounts } from './worker/worker-scope.ts';
