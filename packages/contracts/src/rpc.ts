// The admin RPCs: request and reply of each (docs/protocol.md#rpcs); `Jobs.History` and `Jobs.Trace` are additions.
import { z } from 'zod';
import { Concurrency, LifecycleEvent } from './event.ts';
import { WorkerHeartbeat } from './heartbeat.ts';
import { Job } from './job.ts';
import { JobId, JobType, ServiceName } from './names.ts';
import { JobState } from './state.ts';
import { Instant } from './time.ts';

export const MAX_PAGE = 1_000;
const limit = z
  .int()
  .min(1, `expected an integer from 1 to ${MAX_PAGE}`)
  .max(MAX_PAGE, `expected an integer from 1 to ${MAX_PAGE}`);
const offset = z.int().min(0);
const reason = z.string().max(2_000).optional();

const BODY_FIELDS = ['payload', 'result', 'logs'] as const;

export const ListRequest = z.object({
  service: ServiceName.optional(),
  type: JobType.optional(),
  state: z.array(JobState).optional(),
  /** Compared with `updatedAt`, inclusive. */
  since: Instant.optional(),
  /** Compared with `updatedAt`, exclusive. */
  until: Instant.optional(),
  traceId: z.string().optional(),
  requestId: z.string().optional(),
  /** Display key of keyed concurrency. */
  key: z.string().optional(),
  /** Text within the last error. */
  search: z.string().max(200).optional(),
  order: z.enum(['newest', 'oldest']).optional(),
  include: z.array(z.enum(BODY_FIELDS)).optional(),
  cursor: z.string().optional(),
  offset: offset.optional(),
  limit,
});
export type ListRequest = z.infer<typeof ListRequest>;

const page = <Entry extends z.ZodType>(entry: Entry) =>
  z.looseObject({
    entries: z.array(entry),
    /** All that match, exact unless `countAtLeast`. */
    count: z.int(),
    offset: z.int(),
    limit: z.int(),
    nextOffset: z.int().optional(),
  });

export const ListReply = page(Job).extend({
  countAtLeast: z.boolean().optional(),
  nextCursor: z.string().optional(),
});
export type ListReply = z.infer<typeof ListReply>;

const GetRequest = z.object({ id: JobId });

export const JobReply = z.looseObject({
  job: Job,
  /** False: folded from the stream, because the projection had not come so far within the wait. */
  projected: z.boolean().optional(),
  /** The cancel ended a job that was running. */
  forced: z.boolean().optional(),
});
export type JobReply = z.infer<typeof JobReply>;

export const CancelRequest = z.object({ id: JobId, force: z.boolean().optional(), reason });
export type CancelRequest = z.infer<typeof CancelRequest>;

export const MutationRequest = z.object({ id: JobId, reason });
export type MutationRequest = z.infer<typeof MutationRequest>;

export const GetKeyRequest = z.object({ service: ServiceName, type: JobType, key: z.string().min(1) });
export type GetKeyRequest = z.infer<typeof GetKeyRequest>;

export const KeyStatus = z.looseObject({
  service: z.string(),
  type: z.string(),
  key: z.string(),
  keyHash: z.string(),
  active: z.array(
    z.looseObject({
      jobId: z.string(),
      instanceId: z.string(),
      startedAt: z.string(),
      heartbeatAt: z.string(),
      heartbeatAgeMs: z.number(),
      leaseExpiresAt: z.string(),
      stale: z.boolean(),
    }),
  ),
  queued: z.array(z.looseObject({ jobId: z.string(), createdAt: z.string() })),
  queuedDepth: z.int(),
  heartbeatAgeMs: z.number().optional(),
  staleTakeoverCount: z.int(),
  latestPolicyReason: z.string().optional(),
});
export type KeyStatus = z.infer<typeof KeyStatus>;

export const ListServicesRequest = z.object({ offset: offset.optional(), limit });
export type ListServicesRequest = z.infer<typeof ListServicesRequest>;

export const ServiceEntry = z.looseObject({
  name: z.string(),
  healthy: z.boolean(),
  workers: z.array(WorkerHeartbeat),
});
export type ServiceEntry = z.infer<typeof ServiceEntry>;

export const ListServicesReply = page(ServiceEntry);
export type ListServicesReply = z.infer<typeof ListServicesReply>;

const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export const HealthCheck = z.looseObject({ name: z.string(), status: z.enum(HEALTH_STATUSES) });
export type HealthCheck = z.infer<typeof HealthCheck>;
export const HealthReply = z.looseObject({
  service: z.string(),
  status: z.enum(HEALTH_STATUSES),
  timestamp: z.string(),
  checks: z.array(HealthCheck),
});
export type HealthReply = z.infer<typeof HealthReply>;

const HistoryRequest = z.object({
  id: JobId,
  /** Only events after this stream sequence. */
  after: z.int().min(0).optional(),
  limit: limit.optional(),
});

/** One lifecycle event of a job, and what it did. */
export const HistoryEntry = z.looseObject({
  /** Sequence in the JOBS stream. */
  sequence: z.int(),
  storedAt: z.string(),
  /** As published, without secrets of the keyed concurrency. */
  event: LifecycleEvent.extend({ concurrency: Concurrency.omit({ slotToken: true }).optional() }),
  /** State of the job after it. */
  state: JobState,
  /** Why it changed nothing; absent when it did. */
  ignored: z.string().optional(),
  /** Bodies left out because the reply would not have fitted into one message. */
  omitted: z.array(z.enum(BODY_FIELDS)).optional(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const HistoryReply = z.looseObject({
  id: z.string(),
  service: z.string(),
  type: z.string(),
  /** In stream order. */
  entries: z.array(HistoryEntry),
  /** `after` of the next page; absent on the last one. */
  nextAfter: z.int().optional(),
  /** False: the first events are neither in the stream nor in the history (any more). */
  complete: z.boolean(),
});
export type HistoryReply = z.infer<typeof HistoryReply>;

const TraceRequest = z.object({ id: JobId });

export const SPAN_KINDS = ['internal', 'server', 'client', 'producer', 'consumer'] as const;
export const SPAN_STATUSES = ['unset', 'ok', 'error'] as const;

/** One span of a job's picture. */
export const TraceNode = z.looseObject({
  traceId: z.string(),
  spanId: z.string(),
  /** The node above it in `nodes`; absent for the root. A late attempt hangs below the creation that it is linked to. */
  parentSpanId: z.string().optional(),
  /** 0 for the root: there is one. */
  depth: z.int(),
  name: z.string(),
  kind: z.enum(SPAN_KINDS),
  /** `service.name` of the process that recorded it. */
  service: z.string(),
  startedAt: z.string(),
  durationMs: z.number(),
  status: z.enum(SPAN_STATUSES),
  statusMessage: z.string().optional(),
  attributes: z.record(z.string(), z.string()),
  jobId: z.string().optional(),
  /** Known from the job's events: the span itself never arrived, for instance because its process was killed. */
  missing: z.boolean().optional(),
  /** Known from the job's events: the attempt continues, as far as they tell; its span comes when it ends. */
  running: z.boolean().optional(),
});
export type TraceNode = z.infer<typeof TraceNode>;

export const TraceLog = z.looseObject({
  timestamp: z.string(),
  /** `info`, `warn`, … */
  level: z.string(),
  service: z.string(),
  message: z.string(),
  traceId: z.string().optional(),
  /** The node that it belongs to. */
  spanId: z.string().optional(),
  jobId: z.string().optional(),
});
export type TraceLog = z.infer<typeof TraceLog>;

export const TraceReply = z.looseObject({
  id: z.string(),
  /** The job's own trace first, then those of its late attempts. */
  traceIds: z.array(z.string()),
  /** Depth first, children by start. */
  nodes: z.array(TraceNode),
  /** By time. */
  logs: z.array(TraceLog),
  /** True: there is more than one reply may hold. */
  truncated: z.boolean().optional(),
  /** True: spans and logs could not be read (no store, or none that answers); all there is comes from the job's events. */
  eventsOnly: z.boolean().optional(),
  links: z.object({ trace: z.string().optional() }).optional(),
});
export type TraceReply = z.infer<typeof TraceReply>;

/** Method → request and reply. The subject is `rpc.v1.<method>`. */
export const RPC_METHODS = {
  'Jobs.List': { request: ListRequest, reply: ListReply },
  'Jobs.Get': { request: GetRequest, reply: JobReply },
  'Jobs.GetKey': { request: GetKeyRequest, reply: KeyStatus },
  'Jobs.Cancel': { request: CancelRequest, reply: JobReply },
  'Jobs.Retry': { request: MutationRequest, reply: JobReply },
  'Jobs.ReplayDLQ': { request: MutationRequest, reply: JobReply },
  'Jobs.DismissDLQ': { request: MutationRequest, reply: JobReply },
  'Jobs.ListServices': { request: ListServicesRequest, reply: ListServicesReply },
  'Jobs.History': { request: HistoryRequest, reply: HistoryReply },
  'Jobs.Trace': { request: TraceRequest, reply: TraceReply },
  'Jobs.Health': { request: z.object({}), reply: HealthReply },
} as const;
export type RpcMethod = keyof typeof RPC_METHODS;
export type RpcRequest<Method extends RpcMethod> = z.infer<(typeof RPC_METHODS)[Method]['request']>;
export type RpcReply<Method extends RpcMethod> = z.infer<(typeof RPC_METHODS)[Method]['reply']>;
