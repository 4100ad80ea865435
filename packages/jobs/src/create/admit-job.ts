// Creates a job of a keyed queue: first the admission in the key's record, then `created`. When the key is full, the queue's
// policy rejects, coalesces or replaces (docs/protocol.md#keys).

import { sleep } from '@trellis/async';
import { eventSubject, jobFilter, type LifecycleEvent, type QueuedJob, type WhenFull } from '@trellis/contracts';
import {
  type Admitted,
  admit,
  dropQueued,
  isEnded,
  type KeyIdentity,
  PHANTOM_AFTER_MS,
  phantomSuspects,
  type RejectReason,
} from '@trellis/lifecycle';
import { type JobStream, PublishError } from '@trellis/nats';
import { KeyRecordError } from '../keys/key-records.ts';
import type { KeyedQueue } from '../keys/keyed-queue.ts';

export type Submitted =
  | { kind: 'accepted' }
  | { kind: 'replaced'; replacedJobId: string }
  | { kind: 'coalesced'; existingJobId: string }
  | { kind: 'rejected'; reason: RejectReason; key: string };

export interface KeyedCreation {
  keyed: KeyedQueue;
  stream: JobStream;
  identity: KeyIdentity;
  /** The `created` event of a job that is accepted. */
  event: LifecycleEvent;
  instanceId: string;
  whenFull: WhenFull | 'strict';
  signal: AbortSignal | undefined;
  /** Publishes `created`; false when the job already exists. Throws what `create` throws. */
  publish: (replacedJobId: string | undefined) => Promise<boolean>;
}

const TIMEOUT_MS = 30_000;
/** Waits for the `created` of a job to be replaced, in milliseconds. */
const REPLACE_TRIES = 40;
const REPLACE_PAUSE_MS = 50;

/**
 * Jobs of a key that one process creates are published in the order of their admission: callers resume in that order, and
 * nothing waits between an admission and its publish.
 * @throws {KeyRecordError} when the key's record could not be changed in time; also what `publish` throws
 */
export async function createKeyed(creation: KeyedCreation): Promise<Submitted> {
  const { identity } = creation;
  const admitted = await admitJob(creation);
  if (admitted.kind === 'rejected') return { kind: 'rejected', reason: admitted.reason, key: identity.key };
  if (admitted.kind === 'coalesced') return { kind: 'coalesced', existingJobId: admitted.existingJobId };
  const replacedJobId = admitted.kind === 'accepted' ? admitted.replacedJobId : undefined;
  let created: boolean;
  try {
    created = await creation.publish(replacedJobId);
  } catch (error) {
    // With an unknown outcome the entry stays: the job may exist. If it does not, the entry becomes a phantom.
    const unknown = error instanceof PublishError && !error.refused;
    if (!unknown && admitted.kind === 'accepted') await withdraw(creation);
    throw error;
  }
  if (!created && admitted.kind === 'accepted') await withdraw(creation);
  return replacedJobId === undefined ? { kind: 'accepted' } : { kind: 'replaced', replacedJobId };
}

type Settled = Exclude<Admitted, { kind: 'replace' }>;

async function admitJob(creation: KeyedCreation): Promise<Settled> {
  const { keyed, identity, event, signal } = creation;
  const { limits } = keyed;
  const job: QueuedJob = {
    jobId: event.jobId,
    createdAt: event.timestamp,
    requestId: event.context.requestId,
    context: event.context,
  };
  let { whenFull } = creation;
  let replaced: string | undefined;
  let sought = false;
  for (let tries = 1; ; tries++) {
    let suspects = (): QueuedJob[] => [];
    const admitted = await keyed.change(
      identity,
      (record, now) => {
        suspects = () => phantomSuspects(record, now);
        return admit(record, { job, whenFull, limits, replaced }, now);
      },
      { signal, timeoutMs: TIMEOUT_MS },
    );
    // The entries that fill the key may be phantoms.
    if ((admitted.kind === 'rejected' || admitted.kind === 'coalesced') && !sought) {
      sought = true;
      if (await dropPhantoms(creation, suspects())) continue;
    }
    if (admitted.kind !== 'replace') return admitted;
    const skipped = await skip(creation, admitted.oldest);
    if (skipped === 'skipped') replaced = admitted.oldest.jobId;
    if (skipped === 'not-yet') await sleep(REPLACE_PAUSE_MS, signal);
    // Nothing can be replaced because others create at the same time: report a full key.
    if (tries === REPLACE_TRIES) whenFull = 'reject';
  }
}

/** Ends the oldest queued job as `skipped`, unless it has started or ended. */
async function skip(
  { stream, identity, keyed, event, instanceId, signal }: KeyedCreation,
  oldest: QueuedJob,
): Promise<'skipped' | 'changed' | 'not-yet'> {
  const { service, jobType } = identity;
  const { job, lastSequence } = await stream.readJob(oldest.jobId);
  if (job === undefined) {
    if (Date.now() - Date.parse(oldest.createdAt) <= PHANTOM_AFTER_MS) return 'not-yet';
    await keyed.change(identity, (record, now) => dropQueued(record, [oldest.jobId], now), {
      signal,
      timeoutMs: TIMEOUT_MS,
    });
    return 'changed';
  }
  // Ended before it ran, or by an earlier try of this replacement: it leaves the queue.
  if (isEnded(job.state)) return 'skipped';
  if (job.state !== 'pending' && job.state !== 'retry') return 'not-yet';
  const outcome = await stream.publish(
    {
      jobId: oldest.jobId,
      service,
      jobType,
      eventType: 'skipped',
      state: 'skipped',
      previousState: job.state,
      timestamp: new Date().toISOString(),
      context: job.context,
      tries: job.tries,
      concurrency: { key: identity.key, keyHash: identity.keyHash },
      queuePolicy: { outcome: 'replaced', reason: 'replace-oldest' },
      instanceId,
      actor: { kind: 'service', id: service },
      reason: `replaced by ${event.jobId}`,
    },
    { expect: { lastSequence, filter: jobFilter(service, jobType, oldest.jobId) }, ...(signal ? { signal } : {}) },
  );
  return outcome.kind === 'stored' ? 'skipped' : 'changed';
}

/** Whether any of the suspects was one. */
async function dropPhantoms(
  { stream, identity, keyed, signal }: KeyedCreation,
  suspects: QueuedJob[],
): Promise<boolean> {
  const { service, jobType } = identity;
  const looked = await Promise.all(
    suspects.map(async ({ jobId }) => ({
      jobId,
      created: await stream.lastOf(eventSubject(service, jobType, jobId, 'created')),
    })),
  );
  const phantoms = looked.filter(({ created }) => created === undefined).map(({ jobId }) => jobId);
  if (phantoms.length === 0) return false;
  await keyed.change(identity, (record, now) => dropQueued(record, phantoms, now), { signal, timeoutMs: TIMEOUT_MS });
  return true;
}

/** The job of the entry was not created: removes the entry. */
async function withdraw({ keyed, identity, event }: KeyedCreation): Promise<void> {
  try {
    const drop = { timeoutMs: TIMEOUT_MS };
    await keyed.change(identity, (record, now) => dropQueued(record, [event.jobId], now), drop);
  } catch (error) {
    // It becomes a phantom, which a later change removes.
    if (!(error instanceof KeyRecordError)) throw error;
  }
}
