// A job as the RPCs show it (docs/protocol.md#rpcs).
import { z } from 'zod';
import { Concurrency, JobContext, LogEntry, Progress, QueuePolicy } from './event.ts';
import { JobState } from './state.ts';

/** Stands where a body was left out of a reply: its size in bytes of JSON. */
export const Omitted = z.object({ $omitted: z.int() });
export type Omitted = z.infer<typeof Omitted>;

export const Job = z.looseObject({
  id: z.string(),
  service: z.string(),
  type: z.string(),
  state: JobState,
  context: JobContext,
  payload: z.unknown(),
  result: z.unknown().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
  startedAt: z.string().optional(),
  completedAt: z.string().optional(),
  tries: z.int(),
  maxTries: z.int(),
  lastError: z.string().optional(),
  deadline: z.string().optional(),
  progress: Progress.optional(),
  logs: z.array(LogEntry).optional(),
  concurrency: Concurrency.omit({ slotToken: true }).optional(),
  queuePolicy: QueuePolicy.optional(),
  cancelRequestedAt: z.string().optional(),
  instanceId: z.string().optional(),
  /** Active, but its worker instance is gone. For display only. */
  workerLost: z.boolean().optional(),
  /** The job's first events are no longer in the stream: `payload` is null. */
  headMissing: z.boolean().optional(),
  /** Pages elsewhere: `trace` is the job's trace in the site's tracing tool, where one is configured. */
  links: z.object({ trace: z.string().optional() }).optional(),
  /** Bodies left out because the reply would not have fitted into one message. */
  omitted: z.array(z.enum(['logs', 'result', 'payload'])).optional(),
});
export type Job = z.infer<typeof Job>;
