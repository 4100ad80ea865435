// Runs an ended job again, for Jobs.Retry and Jobs.ReplayDLQ: one `retried` event with everything that a worker needs
// (docs/protocol.md#rpcs). Each method says which state it accepts.
import {
  decodeEvent,
  type EventType,
  eventSubject,
  Fault,
  type JobReply,
  type JobState,
  type LifecycleEvent,
  type MutationRequest,
} from '@trellis/contracts';
import { deadlineOfRerun, type FoldedJob } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import type { Call, Ports } from '../rpc/method.ts';
import { type CommandEvent, type Decision, runCommand, stateConflict } from './job-command.ts';
import { removeLeftOverWork } from './remove-left-over-work.ts';

export interface Requeue {
  method: string;
  /** The only state from which it leads. */
  from: JobState;
}

/** Publishes `retried` for a job that is in the accepted state and answers with the job. */
export function requeueJob(
  { method, from }: Requeue,
  { id, reason }: MutationRequest,
  call: Call,
  ports: Ports,
): Promise<JobReply> {
  const { stream } = ports;
  const decide = async (job: FoldedJob): Promise<Decision> => {
    if (job.state !== from) return { kind: 'refuse', fault: stateConflict(method, job, [from]) };
    const event = retriedEvent(job, await readOrigins(stream, job), new Date());
    return event ? { kind: 'publish', event, when: 'unchanged' } : { kind: 'refuse', fault: payloadGone(job) };
  };
  const afterwards = (job: FoldedJob, sequence: number) => removeLeftOverWork(stream, job, sequence, call.log);
  return runCommand({ id, reason, decide, afterwards }, call, ports);
}

/** The events that put the job into the work queue, the latest first. */
export type Origins = readonly LifecycleEvent[];

/**
 * The event that queues the job again; undefined when no origin holds its payload any more. Deadlines are as long after
 * the new start as they were after the old one.
 */
export function retriedEvent(job: FoldedJob, origins: Origins, now: Date): CommandEvent | undefined {
  const withPayload = origins.find((origin) => 'payload' in origin);
  if (!withPayload) return undefined;
  const maxTries = origins.find((origin) => origin.maxTries !== undefined)?.maxTries ?? job.maxTries;
  const limited = origins.find((origin) => origin.deadline !== undefined);
  const deadline =
    limited && deadlineOfRerun({ deadline: limited.deadline, originAt: limited.timestamp }, now.getTime());
  const concurrency = origins.find((origin) => origin.concurrency !== undefined)?.concurrency ?? job.concurrency;
  return {
    eventType: 'retried',
    state: 'pending',
    tries: 0,
    timestamp: now.toISOString(),
    payload: withPayload.payload,
    maxTries,
    ...(deadline === undefined ? {} : { deadline }),
    // The key of the job, without its earlier lease.
    ...(concurrency === undefined ? {} : { concurrency: { key: concurrency.key, keyHash: concurrency.keyHash } }),
  };
}

/** From the stream's leader: a row may be redacted. Of several `created` only the first one counts. */
async function readOrigins(stream: JobStream, { service, type, id }: FoldedJob): Promise<Origins> {
  const subject = (event: EventType) => eventSubject(service, type, id, event);
  const found = await Promise.all([stream.lastOf(subject('retried')), stream.nextOf(subject('created'), 1)]);
  return found.flatMap((message) => {
    const decoded = message && decodeEvent(message);
    return decoded?.kind === 'event' ? [decoded.stored.event] : [];
  });
}

const payloadGone = (job: FoldedJob): Fault =>
  new Fault(
    'state-conflict',
    `job ${job.id} cannot run again: its created event, which holds the payload, is no longer in the stream`,
    { jobId: job.id, context: { state: job.state, missing: 'created' } },
  );
