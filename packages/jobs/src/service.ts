// A service with its queues: connects, provisions, gives every queue its name, stops everything in order.
import type { NatsConnection } from '@nats-io/transport-node';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { type Logger, sleep } from '@trellis/async';
import {
  connectionName,
  DEFAULT_HEARTBEAT_INTERVAL_MS,
  JobType,
  newInstanceId,
  ServiceName,
  type StreamNames,
} from '@trellis/contracts';
import { connectNats, JobStream, provision, tracedConnection } from '@trellis/nats';
import { createLogger } from '@trellis/runtime';
import { ValidationError } from './errors.ts';
import { JobQueue } from './job-queue.ts';
import { KeyRecords } from './keys/key-records.ts';
import { KeyedQueue } from './keys/keyed-queue.ts';
import type { Queue } from './queue.ts';
import { type Alias, aliasOf } from './queue-alias.ts';

export interface ServiceOptions<Queues extends Record<string, Queue>> {
  /** The owner of the queues: letters, digits, `_` and `-`. */
  name: string;
  /** The address of NATS, or a connection; `stop` leaves a given connection open. */
  nats: { url: string; options?: Record<string, unknown> | undefined } | NatsConnection;
  /** Queues by job type. */
  queues: Queues;
  /** Unique per process; default host, process id and a random part. */
  instanceId?: string | undefined;
  /** Of the service's software; shown with its workers and with each attempt that they make. */
  version?: string | undefined;
  log?: Logger | undefined;
  streamNames?: StreamNames | undefined;
  /** Replicas of streams that do not exist yet. */
  streamReplicas?: number | undefined;
  /** Between two heartbeats of a worker; default 10,000. */
  heartbeatIntervalMs?: number | undefined;
  /**
   * An attempt that starts within this time after the creation of its job belongs to the creation's trace; a later one is the
   * root of its own trace, with a link. Milliseconds. Default 600,000; 0: every attempt has a trace of its own.
   */
  joinTraceMs?: number | undefined;
}

/** The queues by job type, and by its camelCase form. */
export type Jobs<Queues extends Record<string, Queue>> = {
  readonly [Name in keyof Queues & string as Name | Alias<Name>]: JobQueue<
    Queues[Name]['payload'],
    NonNullable<Queues[Name]['result']>
  >;
};

export interface StopOptions {
  /** How long running handlers may continue before their shutdown signal, in milliseconds; default 10,000. */
  graceMs?: number;
}

export interface JobService<Queues extends Record<string, Queue>> {
  readonly name: string;
  readonly instanceId: string;
  readonly jobs: Jobs<Queues>;
  /** The service's connection for your own calls: they carry the trace context. */
  readonly nats: NatsConnection;
  /** Throws when a handled queue takes no work at the moment; for readiness checks. */
  check(): void;
  /**
   * Takes no more work, lets running handlers end within the grace period, hands the others back without using an attempt, and
   * closes its own connection. Idempotent.
   */
  stop(options?: StopOptions): Promise<void>;
}

/** Of `joinTraceMs`. */
export const DEFAULT_JOIN_TRACE_MS = 600_000;
const DEFAULT_GRACE_MS = 10_000;
const LEAVE_MS = 2_000;

/**
 * Connects a service and creates missing streams.
 * @throws {ValidationError} naming what is wrong with the names
 * @throws {TopologyMismatch} when existing streams differ from what the protocol needs
 */
export async function createService<Queues extends Record<string, Queue>>(
  options: ServiceOptions<Queues>,
): Promise<JobService<Queues>> {
  const { name, queues, instanceId = newInstanceId(), version, streamNames: names, streamReplicas: replicas } = options;
  checkNames(name, Object.keys(queues), instanceId);
  const { joinTraceMs = DEFAULT_JOIN_TRACE_MS } = options;
  if (!(joinTraceMs >= 0))
    throw new ValidationError('joinTraceMs', `expected milliseconds, at least 0, found ${joinTraceMs}`);
  const log = options.log ?? createLogger({ name, instanceId });
  const own =
    'url' in options.nats
      ? await connectNats({ ...options.nats, name: connectionName(name, instanceId), log })
      : undefined;
  const nc = own ?? (options.nats as NatsConnection);
  let stream: JobStream;
  let records: KeyRecords | undefined;
  try {
    await provision(nc, { names, replicas, log });
    stream = await JobStream.open(nc, { log, ...(names ? { names } : {}) });
    const keyed = Object.values(queues).some(({ settings }) => settings.keyConcurrency !== undefined);
    if (keyed) records = await KeyRecords.open(stream, name, { replicas, log });
  } catch (error) {
    await own?.close();
    throw error;
  }

  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? DEFAULT_HEARTBEAT_INTERVAL_MS;
  const made = Object.entries(queues).map(([jobType, queue]) => {
    const keyed = keyedQueue({ service: name, jobType, stream, log }, queue, records);
    const scope = { service: name, jobType, instanceId, version, joinTraceMs, stream, log, keyed };
    return new JobQueue(scope, queue, { heartbeatIntervalMs });
  });
  const jobs = Object.fromEntries(
    made.flatMap((queue) => [queue.type, aliasOf(queue.type)].map((key) => [key, queue])),
  );

  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number): Promise<void> => {
    await Promise.all(made.map((queue) => queue.worker?.stop(graceMs)));
    await leave(nc, own !== undefined);
  };
  void recheckAfterReconnect(nc, made, log, () => stopped !== undefined);

  return {
    name,
    instanceId,
    // Keys and types come from the same entries; only the mapped type does not survive Object.fromEntries.
    jobs: jobs as unknown as Jobs<Queues>,
    nats: tracedConnection(nc, ROOT_CONTEXT),
    check: () => {
      if (nc.isClosed()) throw new Error('the NATS connection is closed');
      for (const { type, worker } of made) {
        if (worker?.fault !== undefined)
          throw new Error(`queue ${type} takes no work at the moment`, { cause: worker.fault });
      }
    },
    stop: ({ graceMs = DEFAULT_GRACE_MS } = {}) => {
      stopped ??= stop(graceMs);
      return stopped;
    },
  };
}

function keyedQueue(
  scope: { service: string; jobType: string; stream: JobStream; log: Logger },
  { settings }: Queue,
  records: KeyRecords | undefined,
): KeyedQueue | undefined {
  const { keyConcurrency, queue } = settings;
  if (records === undefined || keyConcurrency === undefined || queue === undefined) return undefined;
  return new KeyedQueue(scope, records, keyConcurrency, queue);
}

/** Flushes the connection and closes it if it is our own; does not wait for a server that is gone. */
async function leave(nc: NatsConnection, own: boolean): Promise<void> {
  if (nc.isClosed()) return;
  const timer = new AbortController();
  await Promise.race([(own ? nc.drain() : nc.flush()).catch(() => undefined), sleep(LEAVE_MS, timer.signal)]);
  timer.abort();
  if (own && !nc.isClosed()) await nc.close();
}

function checkNames(name: string, jobTypes: string[], instanceId: string): void {
  const service = ServiceName.safeParse(name);
  if (!service.success) throw new ValidationError('name', service.error.issues[0]?.message ?? 'not accepted');
  if (!JobType.safeParse(instanceId).success) {
    throw new ValidationError('instanceId', 'expected letters, digits, "_" and "-" only (a NATS subject token)');
  }
  const owners = new Map<string, string>();
  for (const jobType of jobTypes) {
    const parsed = JobType.safeParse(jobType);
    if (!parsed.success)
      throw new ValidationError(`queues.${jobType}`, parsed.error.issues[0]?.message ?? 'not accepted');
    for (const key of new Set([jobType, aliasOf(jobType)])) {
      const other = owners.get(key);
      if (other !== undefined)
        throw new ValidationError(`queues.${jobType}`, `cannot be told from "${other}": both are jobs.${key}`);
      owners.set(key, jobType);
    }
  }
}

type AnyQueue = Pick<JobQueue<never, never>, 'type' | 'worker'>;

/** Hints sent while the connection was down are lost: check instead. */
async function recheckAfterReconnect(
  nc: NatsConnection,
  queues: AnyQueue[],
  log: Logger,
  ended: () => boolean,
): Promise<void> {
  for await (const status of nc.status()) {
    if (ended()) return;
    if (status.type !== 'reconnect') continue;
    for (const { worker, type } of queues) {
      worker
        ?.recheck()
        .catch((error: unknown) => log.warn({ error, jobType: type }, 'could not look whether jobs were stopped'));
    }
  }
}
