// The history pipeline's one record in its key-value bucket: who writes, and how far the history has come. ClickHouse has
// no compare-and-set, so this record is the fence (docs/adr/0003-history-exactly-once.md). The projector writes it, the
// gateway and the janitor read it.
import { z } from 'zod';

/** The bucket, unless configured otherwise. */
export const DEFAULT_PIPELINES_BUCKET = 'JOBS_PIPELINES';
/** Key of the record in the bucket. */
export const PIPELINE_RECORD_KEY = 'history';

const Sequence = z.int().min(0);

/** An insert that has started: the range fixes its content, the token makes it count once. */
export const Intent = z.object({
  /** `tail`: all messages of the range; `release`: those of the quarantine in the range that can be read now. */
  kind: z.enum(['tail', 'release']),
  from: Sequence,
  to: Sequence,
  token: z.string(),
});
export type Intent = z.infer<typeof Intent>;

export const PipelineRecord = z.looseObject({
  owner: z.string(),
  /** Grows by 1 with each acquired lease. */
  epoch: z.int().min(1),
  /** RFC 3339 UTC; the owner keeps it in the future. */
  leaseUntil: z.iso.datetime(),
  /** Creation time of the stream that this is the history of; empty before the first start. */
  streamCreated: z.string(),
  /** 0 before the first start. */
  generation: z.int().min(0),
  /** Every stream sequence up to this one is in the journal, or holds nothing for it. */
  position: Sequence,
  /** The greatest stream sequence in the journal, and when the stream stored it; sequence 0: none. */
  written: z.object({ sequence: Sequence, storedAt: z.string() }),
  intent: Intent.nullable(),
  /** Why the history has to be written again, where whoever found that out has not yet done it. */
  rebuild: z.string().optional(),
});
export type PipelineRecord = z.infer<typeof PipelineRecord>;

export const NOTHING_WRITTEN: PipelineRecord['written'] = { sequence: 0, storedAt: '' };

/** The record as JSON text. */
export const encodePipelineRecord = (record: PipelineRecord): string => JSON.stringify(record);

/** @throws naming the wrong field */
export function decodePipelineRecord(text: string): PipelineRecord {
  try {
    return PipelineRecord.parse(JSON.parse(text));
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const what = issue ? `${issue.path.join('.')}: ${issue.message}` : String(cause);
    throw new Error(`the record of the history pipeline is unreadable: ${what}`, { cause });
  }
}
