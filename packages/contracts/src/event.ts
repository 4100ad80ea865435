// A lifecycle event: the JSON body of one message in the JOBS stream (docs/protocol.md#events).
// Reading one from a message, with the decision to quarantine, is decode-event.ts.
import { z } from 'zod';
import { JobId, JobType, ServiceName } from './names.ts';
import { EventType, JobState } from './state.ts';
import { Instant } from './time.ts';

/** Largest whole number that every store takes. */
export const INT_MAX = 2_147_483_647;
const Count = z.int().min(0).max(INT_MAX);

/** The trace and request that a job belongs to; constant for the job's life. */
export const JobContext = z.looseObject({
  requestId: z.string(),
  /** 32 hexadecimal digits. */
  traceId: z.string(),
  /** W3C `traceparent`. */
  traceparent: z.string(),
  tracestate: z.string().optional(),
});
export type JobContext = z.infer<typeof JobContext>;

export const Progress = z.looseObject({
  step: z.string().optional(),
  message: z.string().optional(),
  current: z.number().optional(),
  total: z.number().optional(),
});
export type Progress = z.infer<typeof Progress>;

export const LOG_LEVELS = ['info', 'warn', 'error'] as const;
export const LogEntry = z.looseObject({
  timestamp: Instant,
  level: z.enum(LOG_LEVELS),
  message: z.string(),
});
export type LogEntry = z.infer<typeof LogEntry>;

export const Concurrency = z.looseObject({
  key: z.string(),
  keyHash: z.string(),
  instanceId: z.string().optional(),
  slotToken: z.string().optional(),
  heartbeatAt: Instant.optional(),
  leaseExpiresAt: Instant.optional(),
  staleTakeoverCount: Count.optional(),
});
export type Concurrency = z.infer<typeof Concurrency>;

const QUEUE_OUTCOMES = ['accepted', 'rejected', 'coalesced', 'replaced'] as const;
export const QueuePolicy = z.looseObject({
  outcome: z.enum(QUEUE_OUTCOMES).optional(),
  reason: z.string().optional(),
  existingJobId: z.string().optional(),
  replacedJobId: z.string().optional(),
});
export type QueuePolicy = z.infer<typeof QueuePolicy>;

const Actor = z.looseObject({
  kind: z.enum(['service', 'operator', 'janitor']),
  id: z.string().optional(),
});

/** Fields that every event must carry: without one of them it is quarantined. */
export const requiredEventFields = {
  jobId: JobId,
  service: ServiceName,
  jobType: JobType,
  eventType: EventType,
  state: JobState,
  timestamp: Instant,
  context: JobContext,
  tries: Count,
};

/** Fields that may be missing: an odd one costs that field, not the event. */
export const optionalEventFields = {
  maxTries: z.int().min(1).max(INT_MAX).optional(),
  previousState: JobState.optional(),
  payload: z.unknown().optional(),
  result: z.unknown().optional(),
  error: z.string().optional(),
  progress: Progress.optional(),
  logs: z.array(LogEntry).optional(),
  deadline: Instant.optional(),
  concurrency: Concurrency.optional(),
  queuePolicy: QueuePolicy.optional(),
  instanceId: z.string().optional(),
  workSequence: z.int().min(0).optional(),
  handedBack: z.literal(true).optional(),
  actor: Actor.optional(),
  reason: z.string().optional(),
  /** On `started`: W3C `traceparent` of the attempt's span, which may belong to a trace of its own. */
  attemptTraceparent: z.string().optional(),
  /** On `started`: version of the worker's software. */
  workerVersion: z.string().optional(),
};

/** What a publisher of ours may send: strict in every field. */
export const LifecycleEvent = z.looseObject({ ...requiredEventFields, ...optionalEventFields });
export type LifecycleEvent = z.infer<typeof LifecycleEvent>;

/** A lifecycle event with its place in the stream. */
export interface StoredEvent {
  /** Stream sequence in JOBS. */
  sequence: number;
  /** When the stream stored it, RFC 3339 UTC. */
  storedAt: string;
  event: LifecycleEvent;
}
