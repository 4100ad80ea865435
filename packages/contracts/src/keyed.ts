// Keyed concurrency: what a queue may declare, and the record of one key in the service's KV bucket (docs/protocol.md#keys).
// @trellis/lifecycle decides how a record changes, the SDK writes it.
import { z } from 'zod';
import { JobContext } from './event.ts';
import { Instant } from './time.ts';

const STALE_POLICIES = ['fail-stale', 'block'] as const;
const WHEN_FULL = ['reject', 'coalesce', 'replace-oldest'] as const;
export type WhenFull = (typeof WHEN_FULL)[number];

const HOUR_MS = 3_600_000;
/** A record must fit into one message; an entry takes some 300 bytes. */
const MAX_QUEUED = 2_000;

/** Which jobs of a queue share a key, and how many of them may run at a time. */
export const KeyConcurrency = z.strictObject({
  /** Plain texts, and JSON Pointers (with a leading `/`) to a string, finite number or boolean of the payload. */
  key: z.array(z.string().min(1)).min(1).max(20),
  maxActive: z.int().min(1).max(1_000).default(1),
  /** Between two renewals of a lease; at most a third of `heartbeatTtlMs`. */
  heartbeatIntervalMs: z.int().min(50).max(HOUR_MS).default(30_000),
  /** How long a lease holds without renewal. */
  heartbeatTtlMs: z
    .int()
    .min(200)
    .max(24 * HOUR_MS)
    .default(120_000),
  /** What happens to an expired lease when another job needs one. */
  stalePolicy: z.enum(STALE_POLICIES).default('fail-stale'),
});
export type KeyConcurrency = z.infer<typeof KeyConcurrency>;

/** How many jobs of a key may wait, and what `submit` does when there is no room. */
export const KeyQueuePolicy = z.strictObject({
  maxQueuedPerKey: z.int().min(0).max(MAX_QUEUED).default(0),
  whenFull: z.enum(WHEN_FULL).default('reject'),
});
export type KeyQueuePolicy = z.infer<typeof KeyQueuePolicy>;

/** A job that holds a lease of its key. */
export const ActiveSlot = z.looseObject({
  jobId: z.string(),
  /** Fencing token: proves that its bearer holds the lease. Never shown. */
  slotToken: z.string(),
  instanceId: z.string(),
  startedAt: Instant,
  heartbeatAt: Instant,
  leaseExpiresAt: Instant,
  tries: z.int().min(0),
  context: JobContext,
  /** Admission of the job, if this is its first lease: if it never starts, it goes back to the head of the queue. */
  queuedAt: Instant.optional(),
});
export type ActiveSlot = z.infer<typeof ActiveSlot>;

/** A job that was admitted and has never held a lease. */
export const QueuedJob = z.looseObject({
  jobId: z.string(),
  createdAt: Instant,
  requestId: z.string(),
  context: JobContext,
});
export type QueuedJob = z.infer<typeof QueuedJob>;

/** The last decision other than a plain acceptance; a rejection leaves no other trace. */
export const LastPolicy = z.looseObject({
  outcome: z.string(),
  /** `active-limit`, `queue-depth`, `coalesced`, `replaced`, `stale-blocked`, `stale`. */
  reason: z.string(),
  jobId: z.string().optional(),
  at: Instant,
});
export type LastPolicy = z.infer<typeof LastPolicy>;

/** The bucket's value for one key. */
export const KeyRecord = z.looseObject({
  version: z.literal(1),
  service: z.string(),
  jobType: z.string(),
  /** Display key: segments joined with `:`; different keys may look alike. */
  key: z.string(),
  keyHash: z.string(),
  maxActive: z.int().min(1),
  maxQueuedPerKey: z.int().min(0).optional(),
  active: z.array(ActiveSlot),
  /** In the order of admission. */
  queued: z.array(QueuedJob),
  staleTakeoverCount: z.int().min(0),
  updatedAt: Instant,
  lastPolicy: LastPolicy.optional(),
});
export type KeyRecord = z.infer<typeof KeyRecord>;

/** Lower-case hexadecimal SHA-256. */
export const KeyHash = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hexadecimal digits');

/** Name of a key's record in the bucket of its service (`keyBucketName`). */
export const keyRecordName = (service: string, jobType: string, keyHash: string): string =>
  `${service}.${jobType}.${keyHash}`;

/** The records of one queue, or of one service. */
export const keyRecordFilter = (service: string, jobType?: string): string => `${service}.${jobType ?? '*'}.*`;

/** Core NATS subject of the hint that a key has a free lease and waiting jobs; the body is a KeyFreeHint. */
export const keyFreeSubject = (service: string, jobType: string): string =>
  `trellis.hints.${service}.${jobType}.key-free`;
export const KeyFreeHint = z.looseObject({ key: z.string(), keyHash: KeyHash });
export type KeyFreeHint = z.infer<typeof KeyFreeHint>;

export type ReadKeyRecord = { kind: 'record'; record: KeyRecord } | { kind: 'unreadable'; reason: string };

/** Reads a value of the bucket. Never throws. */
export function readKeyRecord(data: Uint8Array): ReadKeyRecord {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    return { kind: 'unreadable', reason: error instanceof Error ? error.message : String(error) };
  }
  const parsed = KeyRecord.safeParse(body);
  if (parsed.success) return { kind: 'record', record: parsed.data };
  const issue = parsed.error.issues[0];
  return { kind: 'unreadable', reason: `${issue?.path.join('.') || 'record'}: ${issue?.message ?? 'not understood'}` };
}
