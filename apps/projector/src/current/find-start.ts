// Where the projection continues: at its stored position, or at the start of the stream because the position is not one of
// this stream.

import type { Logger } from '@trellis/async';
import type { JobStream } from '@trellis/nats';
import type { CurrentStore, Lease } from '@trellis/store-postgres';

export interface StartFacts {
  lease: Lease;
  stream: { created: string; firstSequence: number; lastSequence: number };
  /** When the stream stored the message at the checkpoint; undefined when there is none. */
  storedAtPosition: string | undefined;
  /** Whether any job has a row. */
  hasJobs: boolean;
}

/** Why the projection must be built from the start of the stream; undefined when it continues at its position. */
export function whyRebuild({ lease, stream, storedAtPosition, hasJobs }: StartFacts): string | undefined {
  const { position, positionStoredAt, streamCreated } = lease;
  if (streamCreated === undefined) return 'nothing was projected yet';
  if (streamCreated !== stream.created) return `the stream was created at ${stream.created}, not at ${streamCreated}`;
  if (position > stream.lastSequence)
    return `the stream ends at ${stream.lastSequence}, before the position ${position}`;
  if (positionStoredAt !== undefined && storedAtPosition !== undefined && positionStoredAt !== storedAtPosition) {
    return `the message at ${position} was stored at ${storedAtPosition}, not at ${positionStoredAt}`;
  }
  if (!hasJobs && position >= stream.firstSequence)
    return `the stream holds events before ${position}, but no job has a row`;
  return undefined;
}

export interface Start {
  /** The lease with the identity of the present stream, and the checkpoint to continue from. */
  lease: Lease;
  /** Greatest sequence of this stream in quarantine; beyond the checkpoint only during a rebuild. */
  quarantinedUpTo: number;
  /** Whether the projection was emptied. */
  rebuilt: boolean;
  /** Events up to this sequence are projected again, or late; 0: the pipeline continues at its checkpoint. */
  rebuiltUpTo: number;
}

/** Compares the stored position with the stream; empties the projection where it must be rebuilt. */
export async function findStart(stream: JobStream, store: CurrentStore, lease: Lease, log: Logger): Promise<Start> {
  const info = await stream.info();
  const { hasJobs, quarantinedUpTo } = await store.findStart(info.created);
  const atPosition = lease.position > 0 ? await stream.messageAt(lease.position) : undefined;
  const storedAtPosition = atPosition && new Date(atPosition.storedAt).toISOString();
  const why = whyRebuild({ lease, stream: info, storedAtPosition, hasJobs });
  const known = { ...lease, streamCreated: info.created };
  if (why === undefined) {
    log.info({ position: lease.position, lastSequence: info.lastSequence }, 'the projection goes on');
    return { lease: known, quarantinedUpTo, rebuilt: false, rebuiltUpTo: 0 };
  }
  const level = lease.streamCreated === undefined ? 'info' : 'warn';
  log[level]({ why, messages: info.messages }, 'the projection is built from the start of the stream');
  await store.clear(known, lease.position);
  const emptied = { ...known, position: 0, positionStoredAt: undefined };
  return { lease: emptied, quarantinedUpTo, rebuilt: true, rebuiltUpTo: info.lastSequence };
}
