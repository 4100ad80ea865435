// Takes messages out of quarantine that this version can read: their whole job is folded again from the stream.

import type { Logger } from '@trellis/async';
import { decodeEvent, type Quarantined } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import { type BatchCommit, type CurrentStore, type Lease, planWrites } from '@trellis/store-postgres';
import { foldBatch } from './fold-batch.ts';

export interface ReleaseOptions {
  stream: JobStream;
  store: CurrentStore;
  lease: Lease;
  log: Logger;
  pageSize?: number;
}

/** Refused because of their effect, not because they could not be read. */
const NOT_BY_READING: ReadonlySet<string> = new Set(['store-refused', 'foreign-owner']);

/** @returns how many messages left the quarantine */
export async function releaseQuarantine(options: ReleaseOptions): Promise<number> {
  const { readable, refused } = await readQuarantine(options);
  let released = 0;
  for (const [jobId, sequences] of readable) released += await releaseJob(options, jobId, sequences, refused);
  return released;
}

async function readQuarantine({ store, lease, pageSize = 500 }: ReleaseOptions) {
  const readable = new Map<string, number[]>();
  const refused = new Set<number>();
  for (let after = 0; ; ) {
    const page = await store.listQuarantined(lease, after, lease.position, pageSize);
    for (const message of page) {
      if (message.code === 'store-refused') refused.add(message.sequence);
      const jobId = readableJob(message);
      if (jobId !== undefined) readable.set(jobId, [...(readable.get(jobId) ?? []), message.sequence]);
    }
    const last = page.at(-1);
    if (!last || page.length < pageSize) return { readable, refused };
    after = last.sequence;
  }
}

function readableJob(message: Quarantined): string | undefined {
  if (NOT_BY_READING.has(message.code)) return undefined;
  const decoded = decodeEvent(message);
  return decoded.kind === 'event' ? decoded.stored.event.jobId : undefined;
}

async function releaseJob(options: ReleaseOptions, jobId: string, readable: number[], refused: ReadonlySet<number>) {
  const { stream, store, lease, log } = options;
  const { events } = await stream.readJob(jobId);
  const passed = events.filter(({ sequence }) => sequence <= lease.position && !refused.has(sequence));
  const inStream = new Set(passed.map(({ sequence }) => sequence));
  const before = (await store.loadJobs([jobId])).get(jobId);
  const folded = foldBatch({
    events: passed.map((stored) => ({ stored, message: toMessage(stored.sequence, stored.storedAt, jobId) })),
    known: new Map(),
    firstOfId: new Set(),
    refused: new Map(),
  });
  const [change] = folded.changes;
  const foreign = new Set(folded.quarantined.map(({ sequence }) => sequence));
  const released = readable.filter((sequence) => inStream.has(sequence) && !foreign.has(sequence));
  if (released.length === 0) return 0;
  if (change?.job.headMissing && before && !before.headMissing) {
    log.info({ jobId, released }, 'stays in quarantine: the stream no longer holds the first events of the job');
    return 0;
  }
  const commit: BatchCommit = {
    from: lease.position,
    to: lease.position,
    toStoredAt: lease.positionStoredAt,
    changes: planWrites(change ? [{ ...change, before, restarted: before !== undefined }] : []),
    quarantined: [],
    released,
  };
  const outcome = await store.commitBatch(lease, commit);
  if (outcome.kind !== 'committed') {
    log.warn({ jobId, released, outcome }, 'stays in quarantine: the store does not take the job with it');
    return 0;
  }
  log.info({ jobId, released }, 'released from quarantine');
  return released.length;
}

/** Only the sequence is used: foreign messages stay in quarantine unchanged. */
const toMessage = (sequence: number, storedAt: string, subject: string) => ({
  sequence,
  storedAt,
  subject,
  data: new Uint8Array(),
});
