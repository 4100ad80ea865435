// The durable consumer of one queue on JOBS_WORK: created when missing, checked when present, never changed.
import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type ConsumerInfo,
  JetStreamApiCodes,
  JetStreamApiError,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Logger } from '@trellis/async';
import { workConsumerName, workSubject } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import { ConsumerConflict } from '../errors.ts';
import type { WorkerScope } from './worker-scope.ts';

export interface WorkConsumer {
  consumer: Consumer;
  /** The server delivers a message again after this long without an ack or an extension, in milliseconds. */
  ackWaitMs: number;
}

type ConsumerScope = Pick<WorkerScope, 'stream' | 'service' | 'jobType' | 'queue' | 'log'>;

/** `consumers.add` of a name that exists with another configuration. */
const CONSUMER_EXISTS = 10148;

/**
 * The work consumer of a queue. An existing one with other limits is used unchanged and reported in the log.
 * @throws {ConsumerConflict} when the name belongs to a consumer that does not deliver this queue's work to a worker
 */
export async function ensureWorkConsumer(
  stream: JobStream,
  queue: { service: string; jobType: string; ackWaitMs: number },
  log: Logger,
): Promise<WorkConsumer> {
  const { work } = stream.names;
  const wanted = {
    durable_name: workConsumerName(queue.service, queue.jobType),
    filter_subject: workSubject(queue.service, queue.jobType),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(queue.ackWaitMs),
    max_deliver: -1,
    max_ack_pending: -1,
  };
  const { config } = (await find(stream, wanted.durable_name)) ?? (await add(stream, wanted));
  refuseForeign(config, wanted, work);
  reportLimits(config, wanted, log);
  // A backoff list of the consumer overrides its ack_wait.
  const waits = config.backoff?.length ? config.backoff : [config.ack_wait ?? wanted.ack_wait];
  return {
    consumer: await stream.js.consumers.get(work, wanted.durable_name),
    ackWaitMs: Math.max(1, Math.floor(Math.min(...waits) / 1_000_000)),
  };
}

/** The work consumer of the scope's queue. @throws {ConsumerConflict} */
export const ensureQueueConsumer = ({ stream, service, jobType, queue, log }: ConsumerScope): Promise<WorkConsumer> =>
  ensureWorkConsumer(stream, { service, jobType, ackWaitMs: queue.settings.ackWaitMs }, log);

async function find(stream: JobStream, name: string): Promise<ConsumerInfo | undefined> {
  try {
    return await stream.jsm.consumers.info(stream.names.work, name);
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound) return undefined;
    throw error;
  }
}

type Wanted = Pick<ConsumerConfig, 'ack_policy'> & {
  durable_name: string;
  filter_subject: string;
  ack_wait: number;
  max_deliver: number;
  max_ack_pending: number;
};

async function add(stream: JobStream, wanted: Wanted): Promise<ConsumerInfo> {
  try {
    return await stream.jsm.consumers.add(stream.names.work, { ...wanted });
  } catch (error) {
    // Another process made it meanwhile, with other limits.
    if (!(error instanceof JetStreamApiError) || error.code !== CONSUMER_EXISTS) throw error;
    return stream.jsm.consumers.info(stream.names.work, wanted.durable_name);
  }
}

function refuseForeign(config: ConsumerConfig, wanted: Wanted, stream: string): void {
  const refuse = (field: string, expected: string, found: unknown) => {
    throw new ConsumerConflict(
      `consumer ${wanted.durable_name} of stream ${stream}, ${field}: expected ${expected}, found ${JSON.stringify(found)}; ` +
        'it was not changed. Another service and job type may share this name: rename one of them, or remove the consumer',
    );
  };
  const filters = config.filter_subjects ?? (config.filter_subject === undefined ? [] : [config.filter_subject]);
  if (filters.length !== 1 || filters[0] !== wanted.filter_subject) refuse('filter', wanted.filter_subject, filters);
  if (config.ack_policy !== AckPolicy.Explicit) refuse('ack_policy', 'explicit', config.ack_policy);
  if (config.deliver_subject !== undefined) refuse('deliver_subject', 'none (a pull consumer)', config.deliver_subject);
}

function reportLimits(config: ConsumerConfig, wanted: Wanted, log: Logger): void {
  const limits = ['ack_wait', 'max_deliver', 'max_ack_pending'] as const;
  const differences = limits
    .filter((limit) => config[limit] !== wanted[limit])
    .map((limit) => ({ limit, expected: wanted[limit], found: config[limit] }));
  const backoff = config.backoff?.length ? [{ limit: 'backoff', expected: undefined, found: config.backoff }] : [];
  if (differences.length + backoff.length === 0) return;
  log.warn(
    { consumer: wanted.durable_name, differences: [...differences, ...backoff] },
    'the work consumer exists with other limits; it is used as it is',
  );
}
