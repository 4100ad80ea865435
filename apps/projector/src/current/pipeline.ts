// The `current` pipeline: follows the JOBS stream and keeps one row per job up to date. Decode → fold → commit → ack; while a
// batch is being written the next one is folded.
import { randomUUID } from 'node:crypto';
import type { Logger } from '@trellis/async';
import { countMetric } from '@trellis/instrumentation';
import { type FoldedJob, isEnded } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import { CurrentStore, Fenced, type JobChange, type Lease, NOT_LOADED, planWrites } from '@trellis/store-postgres';
import { type ReadBatch, SharedTail } from '../tail/shared-tail.ts';
import { StreamRecreated } from '../tail/tail-stream.ts';
import { CatchUpProgress } from '../telemetry/catch-up-progress.ts';
import type { PipelineProgress } from '../telemetry/pipeline-progress.ts';
import { projectBatch } from '../telemetry/project-batch.ts';
import { type CurrentCounters, count, newCounters } from './counters.ts';
import { partitionBatch } from './decode-batch.ts';
import { EventBatch } from './event-batch.ts';
import { findStart, type Start } from './find-start.ts';
import { findFirstOfId } from './first-of-id.ts';
import { type FoldedBatch, foldBatch } from './fold-batch.ts';
import { holdLease } from './hold-lease.ts';
import { isolateRefused } from './isolate-refused.ts';
import { ReadAgain } from './read-again.ts';
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
  /** The tail that this process's pipelines share; default: one of its own. */
  tail?: SharedTail;
  /** Events of a batch, at most; default 5,000 (the process asks for more: BATCH_SIZE). */
  maxMessages?: number;
  /** Of a tail of its own; default 5. */
  lingerMs?: number;
  counters?: CurrentCounters;
  /** Told how far the pipeline is while this process works it. */
  progress?: PipelineProgress;
  /** Called when the pipeline projects, or stands by because another process does. */
  working?: () => void;
  /** How often a waiting process asks for the lease. */
  leasePollMs?: number;
  /** How often a tail of its own checks, when idle, that it misses nothing. */
  idleCheckMs?: number;
}

const PIPELINE = { pipeline: CurrentStore.pipeline } as const;
const DEFAULT_CONSUMER = 'projector-current';

const MAX_MESSAGES = 5_000;
/** Bytes of a batch's messages. */
const MAX_BYTES = 24 * 1024 * 1024;
/** Messages that are read from the stream and folded in one go. */
const TAIL_BATCH = 1_000;

/** Quarantined messages of a batch that get a line of their own in the log. */
const LOGGED_A_BATCH = 20;

/** Part of the owner's name in the lease, so that two processes with one configuration are two owners. */
const PROCESS = randomUUID().slice(0, 8);

/**
 * Projects until `signal` aborts, the lease is lost, or the stream was recreated; then it can be run again.
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

class Run {
  readonly #options: CurrentPipelineOptions;
  readonly #lease: Lease;
  readonly #start: Start;
  readonly #tail: SharedTail;
  readonly #counters: CurrentCounters;
  readonly #progress: CatchUpProgress;
  #position: number;
  /** The jobs of the batch that is being written, then those of them whose execution continues, without bodies. */
  #former: ReadonlyMap<string, FoldedJob> = new Map();
  /** Up to here a batch is no larger than one of the tail. */
  #smallUpTo = 0;

  constructor(options: CurrentPipelineOptions, start: Start) {
    const { stream, log, maxMessages = MAX_MESSAGES, lingerMs = 5, idleCheckMs } = options;
    this.#options = options;
    this.#start = start;
    this.#lease = start.lease;
    this.#position = start.lease.position;
    this.#tail =
      options.tail ??
      new SharedTail({ stream, log, maxMessages: Math.min(maxMessages, TAIL_BATCH), lingerMs, idleCheckMs });
    this.#counters = options.counters ?? newCounters();
    this.#progress = new CatchUpProgress(options.log, CurrentStore.pipeline);
    this.#counters.starts++;
    if (!start.rebuilt) return;
    this.#counters.rebuilds++;
    countMetric('trellis.projector.rebuilds', PIPELINE);
  }

  async project(): Promise<void> {
    const { stream, store, log, signal } = this.#options;
    this.#counters.released += await releaseQuarantine({ stream, store, lease: this.#lease, log });
    this.#options.working?.();
    tellPosition(this.#options, this.#position);
    while (!signal.aborted) {
      try {
        await this.#follow();
      } catch (error) {
        if (!(error instanceof ReadAgain)) throw error;
        log.info({ position: this.#position, upTo: error.upTo }, error.message);
        this.#smallUpTo = error.upTo;
      }
    }
  }

  async #follow(): Promise<void> {
    const { signal, consumer = DEFAULT_CONSUMER } = this.#options;
    this.#former = new Map();
    const failed = new AbortController();
    const batches = this.#tail.follow({
      consumer,
      from: this.#position + 1,
      created: this.#lease.streamCreated,
      signal: AbortSignal.any([signal, failed.signal]),
    });
    let writing = Promise.resolve({ isolated: false });
    let batch: EventBatch | undefined;
    for await (const read of batches) {
      // Folded onto the result of the previous batch while that batch is being written.
      batch ??= new EventBatch(read.first);
      await this.#add(batch, read);
      if (read.pending > 0 && this.#hasRoom(batch)) continue;
      const { isolated } = await writing;
      const next = isolated ? await this.#foldAgain(batch) : batch;
      batch = undefined;
      writing = this.#record(next, () => this.#write(next));
      // The next batch comes with the next event, which may take long.
      writing.catch((error: unknown) => failed.abort(error));
    }
    await writing;
  }

  #hasRoom({ messages, bytes, last }: EventBatch): boolean {
    const { maxMessages = MAX_MESSAGES } = this.#options;
    return messages + this.#tail.maxMessages <= maxMessages && bytes < MAX_BYTES && last >= this.#smallUpTo;
  }

  /** Folds events onto the jobs that they touch: those of this batch and the former one as given, others as the store has them. */
  async #add(batch: EventBatch, read: ReadBatch): Promise<void> {
    const { store, stream } = this.#options;
    const former = this.#former;
    const decoded = partitionBatch(read);
    const { events } = decoded;
    const kept = new Map<string, FoldedJob>();
    const asked = new Set<string>();
    for (const { stored } of events) {
      const { jobId } = stored.event;
      if (batch.fold.has(jobId) || asked.has(jobId) || kept.has(jobId)) continue;
      const job = former.get(jobId);
      if (job) kept.set(jobId, job);
      else asked.add(jobId);
    }
    const known = await store.loadJobs([...asked]);
    for (const [id, job] of kept) known.set(id, job);
    const taken = { has: (id: string) => known.has(id) || batch.fold.job(id) !== undefined };
    const firstOfId = await findFirstOfId(stream, events, taken);
    const input = { events, known, firstOfId, refused: new Map(), countedUpTo: this.#start.rebuiltUpTo };
    batch.add({ read, decoded, input }, this.#position < this.#start.quarantinedUpTo);
  }

  /** A batch that was folded onto the previous one, which was then not written. */
  async #foldAgain(batch: EventBatch): Promise<EventBatch> {
    if (!batch.only) throw new ReadAgain(batch.last);
    const again = new EventBatch(batch.first);
    await this.#add(again, batch.only.read);
    return again;
  }

  #record<Written>({ messages, first, last, fold }: EventBatch, write: () => Promise<Written>): Promise<Written> {
    const { stream, consumer = DEFAULT_CONSUMER } = this.#options;
    const jobs = fold.changed().map(({ context }) => context.traceparent);
    return projectBatch({ ...PIPELINE, stream: stream.names.jobs, consumer, messages, first, last, jobs }, write);
  }

  /** Commits a batch, without the events that the store refuses. */
  async #write(batch: EventBatch): Promise<{ isolated: boolean }> {
    const { store } = this.#options;
    let folded = batch.fold.result();
    this.#former = folded.jobs;
    const commit = () =>
      store.commitBatch(this.#lease, {
        from: this.#position,
        to: batch.last,
        toStoredAt: batch.lastStoredAt,
        changes: planWrites(folded.changes),
        quarantined: [...batch.unreadable, ...folded.quarantined],
        released: this.#projectedAgain(batch, folded),
      });
    let outcome = await commit();
    const isolated = outcome.kind === 'refused';
    if (isolated) {
      if (!batch.only) throw new ReadAgain(batch.last);
      const { input } = batch.only;
      const tryChanges = (changes: JobChange[]) => store.tryChanges(this.#lease, this.#position, changes);
      folded = foldBatch({ ...input, refused: await isolateRefused(input, tryChanges) });
      outcome = await commit();
    }
    if (outcome.kind === 'refused') {
      const { storeCode, reason } = outcome.refusal;
      throw new Error(`the store refuses the batch ${batch.first}-${batch.last}: ${storeCode} ${reason}`);
    }
    if (outcome.kind === 'outdated')
      throw new Error(`rows of the batch ${batch.first}-${batch.last} were changed by others`);
    this.#position = batch.last;
    tellPosition(this.#options, this.#position);
    this.#former = jobsThatGoOn(folded.jobs);
    batch.ack();
    this.#report(batch, folded);
    return { isolated };
  }

  /** Sequences of the batch that an earlier projection of this stream may have put into quarantine, and this one did not. */
  #projectedAgain({ sequences }: EventBatch, { quarantined, ignored }: FoldedBatch): number[] {
    if (sequences.length === 0) return [];
    const kept = new Set(quarantined.map(({ sequence }) => sequence));
    for (const { event, why } of ignored) if (why === 'already-applied') kept.add(event.stored.sequence);
    return sequences.filter((sequence) => !kept.has(sequence));
  }

  #report(batch: EventBatch, folded: FoldedBatch): void {
    const { log } = this.#options;
    const counters = this.#counters;
    counters.batches++;
    counters.events += batch.messages;
    counters.changes += folded.changes.length;
    folded.applied.count();
    for (const [field, { length: times }] of Map.groupBy(batch.droppedFields, (field) => field)) {
      count(counters.droppedFields, field, times);
      countMetric('trellis.projector.fields.dropped', { ...PIPELINE, field }, times);
    }
    for (const [reason, { length: times }] of Map.groupBy(folded.ignored, ({ why }) => why)) {
      countMetric('trellis.projector.ignored', { ...PIPELINE, reason }, times);
    }
    for (const { event, why } of folded.ignored) {
      count(counters.ignored, why);
      if (!log.isLevelEnabled('debug')) continue;
      const { sequence, event: ignored } = event.stored;
      const { jobId, service, jobType, eventType, context } = ignored;
      log.debug(
        { why, sequence, jobId, service, jobType, eventType, traceId: context.traceId },
        'event changes nothing',
      );
    }
    const quarantined = [...batch.unreadable, ...folded.quarantined];
    for (const [index, { sequence, subject, code, reason, storeCode }] of quarantined.entries()) {
      count(counters.quarantined, code);
      countMetric('trellis.projector.quarantined', { ...PIPELINE, code });
      if (index < LOGGED_A_BATCH) log.warn({ sequence, subject, code, reason, storeCode }, 'message quarantined');
    }
    const more = quarantined.length - LOGGED_A_BATCH;
    if (more > 0) log.warn({ more, first: batch.first, last: batch.last }, 'more messages quarantined');
    this.#progress.passed(batch.messages, batch.last, batch.pending);
  }
}

/** The jobs that are likely to be touched next, as the store would load them. */
function jobsThatGoOn(jobs: ReadonlyMap<string, FoldedJob>): ReadonlyMap<string, FoldedJob> {
  const goOn = new Map<string, FoldedJob>();
  for (const [id, job] of jobs) {
    if (!isEnded(job.state)) goOn.set(id, { ...job, payload: NOT_LOADED, result: NOT_LOADED });
  }
  return goOn;
}
