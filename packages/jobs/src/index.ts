export type { ActiveJob } from './active-job.ts';
export * from './errors.ts';
export type { CreateOptions, JobQueue } from './job-queue.ts';
export type { EndedState, JobOutcome, JobRef, WaitOptions } from './job-ref.ts';
export { type Queue, type QueueOptions, type QueueSettings, queue } from './queue.ts';
export type { Handler } from './run-handler.ts';
export { createService, type JobService, type Jobs, type ServiceOptions, type StopOptions } from './service.ts';
export type { WorkerCounts } from './worker-scope.ts';
