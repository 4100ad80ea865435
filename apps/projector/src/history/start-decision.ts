// Whether a new owner continues the history that it finds or starts a new generation from the stream's start. Pure.
import type { PipelineRecord } from '@trellis/contracts';

export interface Situation {
  record: Pick<PipelineRecord, 'streamCreated' | 'generation' | 'position' | 'written' | 'intent' | 'rebuild'>;
  stream: { created: string; lastSequence: number };
  /** When the stream stored the message at `record.written.sequence`; undefined when it is gone. */
  writtenStoredAt: string | undefined;
  journal: {
    /** The greatest generation begun in ClickHouse. */
    generation: number;
    /** The greatest sequence of the record's generation that is at least `record.written.sequence`; 0: none. */
    greatestSequence: number;
  };
  /** Retention may have dropped rows that the stream stored before this. Undefined: ClickHouse keeps everything. */
  keptSince: string | undefined;
}

export type StartDecision = { kind: 'continue' } | { kind: 'rebuild'; why: string };

const rebuild = (why: string): StartDecision => ({ kind: 'rebuild', why });

/** Goes on only where stream, record and journal agree. */
export function decideStart(situation: Situation): StartDecision {
  const { record, stream, journal, writtenStoredAt } = situation;
  if (record.generation === 0) return rebuild('first start');
  if (record.rebuild !== undefined) return rebuild(record.rebuild);
  if (stream.created !== record.streamCreated) {
    return rebuild(`the stream was created at ${stream.created}, the history is of the one of ${record.streamCreated}`);
  }
  const reached = Math.max(record.position, record.intent?.to ?? 0);
  if (stream.lastSequence < reached) {
    return rebuild(
      `the stream ends at ${stream.lastSequence}, the history had reached ${reached}: an older copy was restored`,
    );
  }
  if (writtenStoredAt !== undefined && writtenStoredAt !== record.written.storedAt) {
    return rebuild(
      `message ${record.written.sequence} was stored at ${writtenStoredAt}, the history knows ${record.written.storedAt}: an older copy of the stream was restored`,
    );
  }
  if (journal.generation !== record.generation) {
    return rebuild(
      `ClickHouse is at generation ${journal.generation}, the history at ${record.generation}: it was emptied or restored, or has new tables`,
    );
  }
  const mismatch = journalMismatch(record, journal.greatestSequence, situation.keptSince);
  return mismatch === undefined ? { kind: 'continue' } : rebuild(mismatch);
}

/** What is wrong with the greatest sequence in the journal; undefined when it agrees with the record. */
export function journalMismatch(
  record: Pick<PipelineRecord, 'written' | 'intent'>,
  greatestSequence: number,
  keptSince?: string,
): string | undefined {
  const { written, intent } = record;
  if (greatestSequence === written.sequence) return undefined;
  // An insert that was begun may have arrived, also in part.
  const begun = intent?.kind === 'tail' && greatestSequence >= intent.from && greatestSequence <= intent.to;
  if (begun) return undefined;
  // Nothing so late is there any more, because it is too old.
  if (greatestSequence === 0 && keptSince !== undefined && written.storedAt < keptSince) return undefined;
  return greatestSequence < written.sequence
    ? `ClickHouse lacks what was written up to ${written.sequence}: it was emptied or restored`
    : `ClickHouse holds ${greatestSequence}, beyond ${written.sequence}: the record was lost or restored`;
}

/** Clocks may differ by less. */
const CLOCKS_MS = 3_600_000;

/** Since when ClickHouse has kept all that was stored, with a retention of `ttlDays` days; undefined: forever. */
export const keptSince = (ttlDays: number | undefined, now: number): string | undefined =>
  ttlDays === undefined ? undefined : new Date(now - ttlDays * 86_400_000 + CLOCKS_MS).toISOString();
