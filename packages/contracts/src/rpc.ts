// The nine admin RPCs: request and reply of each (protocol: the nine RPCs).
import { z } from 'zod';
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

export const BODY_FIELDS = ['payload', 'result', 'logs'] as const;

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

export const GetRequest = z.object({ id: JobId });
export type GetRequest = z.infer<typeof GetRequest>;

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

export const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;
export const HealthCheck = z.looseObject({ name: z.string(), status: z.enum(HEALTH_STATUSES) });
export type HealthCheck = z.infer<typeof HealthCheck>;
export const HealthReply = z.looseObject({
  service: z.string(),
  status: z.enum(HEALTH_STATUSES),
  timestamp: z.string(),
  checks: z.array(HealthCheck),
});
export type HealthReply = z.infer<typeof HealthReply>;

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
  'Jobs.Health': { request: z.object({}), reply: HealthReply },
} as const;
export type RpcMethod = keyof typeof RPC_METHODS;
export type RpcRequest<Method extends RpcMethod> = z.infer<(typeof RPC_METHODS)[Method]['request']>;
export type RpcReply<Method extends RpcMethod> = z.infer<(typeof RPC_METHODS)[Method]['reply']>;
