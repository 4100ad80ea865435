// Folds the events of a batch onto the jobs that they touch. Pure: the jobs are passed in.
import type { QuarantineCode, Quarantined, StoredMessage } from '@trellis/contracts';
import { type FoldedJob, type IgnoredBecause, reduce } from '@trellis/lifecycle';
import type { JobChange, StoreRefusal } from '@trellis/store-postgres';
import { AppliedEvents } from './applied-events.ts';
import type { DecodedEvent } from './decode-batch.ts';

export interface FoldInput {
  /** In stream order. */
  events: readonly DecodedEvent[];
  /** The jobs of the touched ids before the batch, if any. */
  known: ReadonlyMap<string, FoldedJob>;
  /** Sequences of `created` events before which the stream holds nothing of their id (any more). */
  firstOfId: ReadonlySet<number>;
  /** Events whose effect the store refuses, by sequence. */
  refused: ReadonlyMap<number, StoreRefusal>;
  /** Events up to this sequence are not counted as applied: an earlier projection has counted them. Default 0. */
  countedUpTo?: number;
}

export interface FoldedBatch {
  /** Every touched job as it is after the batch, without log lines. */
  jobs: ReadonlyMap<string, FoldedJob>;
  /** One for each job that changed. */
  changes: JobChange[];
  quarantined: Quarantined[];
  ignored: { event: DecodedEvent; why: IgnoredBecause }[];
  applied: AppliedEvents;
}

/** A fold over several parts of a batch; it keeps only the effect of an event on its job. */
export class BatchFold {
  readonly #touched = new Map<string, Fold>();
  readonly #quarantined: Quarantined[] = [];
  readonly #ignored: FoldedBatch['ignored'] = [];
  readonly #applied = new AppliedEvents();

  /** Whether a job of this id was looked up for an earlier part. */
  has(id: string): boolean {
    return this.#touched.has(id);
  }

  /** The job as it is after the parts so far. */
  job(id: string): FoldedJob | undefined {
    return this.#touched.get(id)?.job;
  }

  /** The jobs that are not as they were before. */
  *changed(): Generator<FoldedJob> {
    for (const { before, job } of this.#touched.values()) if (job !== undefined && job !== before) yield job;
  }

  /** Folds the next events; `known` may leave out the jobs that earlier parts have touched. */
  add({ events, known, firstOfId, refused, countedUpTo = 0 }: FoldInput): void {
    const quarantined = this.#quarantined;
    const ignored = this.#ignored;
    for (const decoded of events) {
      const { stored, message } = decoded;
      const { event, sequence } = stored;
      let fold = this.#touched.get(event.jobId);
      if (fold === undefined) {
        fold = startFold(known.get(event.jobId));
        this.#touched.set(event.jobId, fold);
      }
      const refusal = refused.get(sequence);
      if (refusal) {
        quarantined.push({ ...quarantine(message, 'store-refused', refusal.reason), storeCode: refusal.storeCode });
        continue;
      }
      let outcome = reduce(fold.job, stored);
      const passed = fold.job?.lastSequence ?? 0;
      if (outcome.kind === 'ignored' && event.eventType === 'created' && sequence > passed && firstOfId.has(sequence)) {
        // The earlier job of the id is gone from the stream: the id starts again.
        outcome = reduce(undefined, stored);
        fold.restarted = fold.before !== undefined;
        fold.logs = [];
      }
      if (outcome.kind === 'applied') {
        // The lines are stored apart from the job.
        fold.job = outcome.job.logs.length > 0 ? { ...outcome.job, logs: [] } : outcome.job;
        if (sequence > countedUpTo) this.#applied.add(event);
        if (event.eventType !== 'logged') continue;
        for (const [line, entry] of (event.logs ?? []).entries()) fold.logs.push({ sequence, line, entry });
      } else if (outcome.why === 'foreign-owner' && sequence > passed) {
        const owner = `${fold.job?.service}.${fold.job?.type}`;
        quarantined.push(quarantine(message, 'foreign-owner', `jobId: "${event.jobId}" belongs to ${owner}`));
      } else {
        ignored.push({ event: decoded, why: sequence > passed ? outcome.why : 'already-applied' });
      }
    }
  }

  result(): FoldedBatch {
    return {
      ...results(this.#touched),
      quarantined: this.#quarantined,
      ignored: this.#ignored,
      applied: this.#applied,
    };
  }
}

export function foldBatch(input: FoldInput): FoldedBatch {
  const fold = new BatchFold();
  fold.add(input);
  return fold.result();
}

interface Fold {
  before: FoldedJob | undefined;
  job: FoldedJob | undefined;
  restarted: boolean;
  logs: JobChange['logs'];
}

const startFold = (job: FoldedJob | undefined): Fold => ({ before: job, job, restarted: false, logs: [] });

function results(touched: ReadonlyMap<string, Fold>): Pick<FoldedBatch, 'jobs' | 'changes'> {
  const jobs = new Map<string, FoldedJob>();
  const changes: JobChange[] = [];
  for (const [id, { before, job, restarted, logs }] of touched) {
    if (job === undefined) continue;
    jobs.set(id, job);
    if (job !== before) changes.push({ before, job, restarted, logs });
  }
  return { jobs, changes };
}

const quarantine = (message: StoredMessage, code: QuarantineCode, reason: string): Quarantined => ({
  sequence: message.sequence,
  storedAt: message.storedAt,
  subject: message.subject,
  data: message.data,
  code,
  reason,
});
