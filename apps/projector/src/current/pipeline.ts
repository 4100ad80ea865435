// The `current` pipeline: follows the JOBS stream and keeps one row per job true. Decode → fold → commit → ack; while a
// batch is being written the next one is decoded and folded.
import { randomUUID } from 'node:crypto';
import type { FoldedJob } from '@trellis/lifecycle';
import { countMetric, type JobStream, type Logger } from '@trellis/runtime';
import {
  CurrentStore,
  Fenced,
  type JobChange,
  type Lease,
  type WrittenChanges,
  writeChanges,
} from '@trellis/store-postgres';
import { CatchUpProgress } from '../catch-up-progress.ts';
import type { PipelineProgress } from '../pipeline-progress.ts';
import { projectBatch } from '../project-batch.ts';
import { StreamRecreated, type TailBatch, tailStream } from '../tail-stream.ts';
import { type CurrentCounters, count, newCounters } from './counters.ts';
import { type DecodedBatch, decodeBatch } from './decode-batch.ts';
import { findStart, type Start } from './find-start.ts';
import { findFirstOfId } from './first-of-id.ts';
import { type FoldedBatch, type FoldInput, foldBatch } from './fold-batch.ts';
import { holdLease } from './hold-lease.ts';
import { isolateRefused } from './isolate-refused.ts';
import { releaseQuarantine } from './release-quarantine.ts';

export interface CurrentPipelineOptions {
  stream: JobStream;
  store: CurrentStore;
  /** Name of this process in the lease. */
  owner: string;
  log: Logger;
  signal: AbortSignal;
  /** Durable name of the consumer; default `projector-current`. */
  consumer?: string;
  /** Events of a batch; default 5,000 (the process asks for more: BATCH_SIZE). */
  maxMessages?: number;
  /** Default 5. */
  lingerMs?: number;
  counters?: CurrentCounters;
  /** Told how far the pipeline is while this process works it. */
  progress?: PipelineProgress;
  /** Called when the pipeline projects, or stands by because another process does. */
  working?: () => void;
  /** How often a waiting process asks for the lease. */
  leasePollMs?: number;
  /** How often an idle tail checks that it misses nothing. */
  idleCheckMs?: number;
}

const PIPELINE = { pipeline: CurrentStore.pipeline } as const;
const DEFAULT_CONSUMER = 'projector-current';

/** Quarantined messages of a batch that get a line of their own in the log. */
const LOGGED_A_BATCH = 20;

/** Part of the owner's name in the lease: no configuration can make two processes one owner. */
const PROCESS = randomUUID().slice(0, 8);

/**
 * Projects until `signal` aborts or the pipeline is lost to another process or another stream; then it can be run again.
 * @throws Error when the store or the stream cannot be used; what was not committed is read again by the next run
 */
export async function runCurrentPipeline(options: CurrentPipelineOptions): Promise<void> {
  const { stream, store, signal, leasePollMs: pollMs, working: standby } = options;
  const owner = `${options.owner}/${PROCESS}`;
  const log = options.log.child({ pipeline: CurrentStore.pipeline });
  try {
    await holdLease({ leases: store.leases, owner, signal, log, pollMs, standby }, async (lease, held) => {
      const start = await findStart(stream, store, lease, log);
      const run = new Run({ ...options, log, signal: held }, start);
      await run.project().finally(() => tellPosition(options, undefined));
    });
  } catch (error) {
    if (!(error instanceof Fenced || error instanceof StreamRecreated)) throw error;
    log.warn({ reason: error.message }, 'the projection starts over');
  }
}

function tellPosition({ progress }: CurrentPipelineOptions, position: number | undefined): void {
  if (progress) progress.position = position;
}

interface Plan {
  input: FoldInput;
  folded: FoldedBatch;
  written: WrittenChanges;
}

function makePlan(input: FoldInput): Plan {
  const folded = foldBatch(input);
  return { input, folded, written: writeChanges(folded.changes) };
}

class Run {
  readonly #options: CurrentPipelineOptions;
  readonly #lease: Lease;
  readonly #start: Start;
  readonly #counters: CurrentCounters;
  readonly #progress: CatchUpProgress;
  #position: number;

  constructor(options: CurrentPipelineOptions, start: Start) {
    this.#options = options;
    this.#start = start;
    this.#lease = start.lease;
    this.#position = start.lease.position;
    this.#counters = options.counters ?? newCounters();
    this.#progress = new CatchUpProgress(options.log, CurrentStore.pipeline);
    this.#counters.starts++;
    if (!start.rebuilt) return;
    this.#counters.rebuilds++;
    countMetric('trellis.projector.rebuilds', PIPELINE);
  }

  async project(): Promise<void> {
    const {
      stream,
      store,
      signal,
      log,
      consumer = DEFAULT_CONSUMER,
      maxMessages = 5_000,
      lingerMs = 5,
    } = this.#options;
    this.#counters.released += await releaseQuarantine({ stream, store, lease: this.#lease, log });
    this.#options.working?.();
    tellPosition(this.#options, this.#position);
    const failed = new AbortController();
    const batches = tailStream({
      stream,
      consumer,
      from: this.#position + 1,
      ...(this.#lease.streamCreated === undefined ? {} : { created: this.#lease.streamCreated }),
      maxMessages,
      lingerMs,
      signal: AbortSignal.any([signal, failed.signal]),
      log,
      ...(this.#options.idleCheckMs === undefined ? {} : { idleCheckMs: this.#options.idleCheckMs }),
    });
    let expected: ReadonlyMap<string, FoldedJob> = new Map();
    let writing = Promise.resolve(expected);
    for await (const batch of batches) {
      const decoded = await decodeBatch(batch.messages);
      // Planned on what the former batch will have written, while it is being written.
      const planning = this.#plan(decoded, expected);
      planning.catch(() => undefined);
      const written = await writing;
      const plan = written === expected ? await planning : await this.#plan(decoded, written);
      expected = plan.folded.jobs;
      writing = this.#record(batch, plan, () => this.#write(batch, decoded, plan));
      // Nobody may look for long: the next batch comes with the next event.
      writing.catch((error: unknown) => failed.abort(error));
    }
    await writing;
  }

  /** Folds a batch onto the jobs that it touches: those of the former batch as given, all others as the store has them. */
  async #plan({ events }: DecodedBatch, former: ReadonlyMap<string, FoldedJob>): Promise<Plan> {
    const { store, stream } = this.#options;
    const ids = new Set(events.map(({ stored }) => stored.event.jobId));
    const known = await store.loadJobs([...ids].filter((id) => !former.has(id)));
    for (const id of ids) {
      const job = former.get(id);
      if (job) known.set(id, job);
    }
    const firstOfId = await findFirstOfId(stream, events, known);
    return makePlan({ events, known, firstOfId, refused: new Map(), countedUpTo: this.#start.rebuiltUpTo });
  }

  #record<Written>(batch: TailBatch, { folded }: Plan, write: () => Promise<Written>): Promise<Written> {
    const { stream, consumer = DEFAULT_CONSUMER } = this.#options;
    const { messages, first, last } = batch;
    const jobs = Iterator.from(folded.changes).map(({ job }) => job.context.traceparent);
    const what = { ...PIPELINE, stream: stream.names.jobs, consumer, messages: messages.length, first, last, jobs };
    return projectBatch(what, write);
  }

  /** Commits a batch, without the events that the store refuses. @returns the jobs as they are in the store now */
  async #write(batch: TailBatch, decoded: DecodedBatch, planned: Plan): Promise<ReadonlyMap<string, FoldedJob>> {
    const { store } = this.#options;
    const commit = ({ folded, written }: Plan) =>
      store.commitBatch(this.#lease, {
        from: this.#position,
        to: batch.last,
        toStoredAt: batch.lastStoredAt,
        changes: written,
        quarantined: [...decoded.quarantined, ...folded.quarantined],
        released: this.#projectedAgain(decoded, folded),
      });
    let plan = planned;
    let outcome = await commit(plan);
    if (outcome.kind === 'refused') {
      const tryChanges = (changes: JobChange[]) => store.tryChanges(this.#lease, this.#position, changes);
      plan = makePlan({ ...planned.input, refused: await isolateRefused(planned.input, tryChanges) });
      outcome = await commit(plan);
    }
    if (outcome.kind === 'refused') {
      const { storeCode, reason } = outcome.refusal;
      throw new Error(`the store refuses the batch ${batch.first}-${batch.last}: ${storeCode} ${reason}`);
    }
    if (outcome.kind === 'outdated')
      throw new Error(`rows of the batch ${batch.first}-${batch.last} were changed by others`);
    this.#position = batch.last;
    tellPosition(this.#options, this.#position);
    batch.ack();
    this.#report(batch, decoded, plan.folded);
    return plan.folded.jobs;
  }

  /** Sequences of the batch that an earlier projection of this stream may have put into quarantine, and this one did not. */
  #projectedAgain({ events }: DecodedBatch, { quarantined, ignored }: FoldedBatch): number[] {
    if (this.#position >= this.#start.quarantinedUpTo) return [];
    const kept = new Set(quarantined.map(({ sequence }) => sequence));
    for (const { event, why } of ignored) if (why === 'already-applied') kept.add(event.stored.sequence);
    return events.map(({ stored }) => stored.sequence).filter((sequence) => !kept.has(sequence));
  }

  #report(batch: TailBatch, decoded: DecodedBatch, plan: FoldedBatch): void {
    const { log } = this.#options;
    const counters = this.#counters;
    counters.batches++;
    counters.events += batch.messages.length;
    counters.changes += plan.changes.length;
    plan.applied.count();
    for (const [field, times] of decoded.droppedFields) {
      count(counters.droppedFields, field, times);
      countMetric('trellis.projector.fields.dropped', { ...PIPELINE, field }, times);
    }
    const ignored = Map.groupBy(plan.ignored, ({ why }) => why);
    for (const [reason, events] of ignored) {
      countMetric('trellis.projector.ignored', { ...PIPELINE, reason }, events.length);
    }
    for (const { event, why } of plan.ignored) {
      count(counters.ignored, why);
      if (!log.isLevelEnabled('debug')) continue;
      const { sequence, event: ignored } = event.stored;
      const { jobId, service, jobType, eventType, context } = ignored;
      log.debug(
        { why, sequence, jobId, service, jobType, eventType, traceId: context.traceId },
        'event changes nothing',
      );
    }
    const quarantined = [...decoded.quarantined, ...plan.quarantined];
    for (const [index, { sequence, subject, code, reason, storeCode }] of quarantined.entries()) {
      count(counters.quarantined, code);
      countMetric('trellis.projector.quarantined', { ...PIPELINE, code });
      if (index < LOGGED_A_BATCH) log.warn({ sequence, subject, code, reason, storeCode }, 'message quarantined');
    }
    const more = quarantined.length - LOGGED_A_BATCH;
    if (more > 0) log.warn({ more, first: batch.first, last: batch.last }, 'more messages quarantined');
    this.#progress.passed(batch.messages.length, batch.last, batch.pending);
  }
}
