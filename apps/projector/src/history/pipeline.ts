// The history pipeline: every message of the JOBS stream once in ClickHouse. Lease → migrations → start decision → finish a
// started insert → release the quarantine → follow the stream. Why exactly once: docs/adr/0003-history-exactly-once.md.
import { randomUUID } from 'node:crypto';
import { Kvm } from '@nats-io/kv';
import type { Logger } from '@trellis/async';
import { DEFAULT_PIPELINES_BUCKET, NOTHING_WRITTEN, PIPELINE_RECORD_KEY } from '@trellis/contracts';
import { countMetric } from '@trellis/instrumentation';
import type { JobStream } from '@trellis/nats';
import {
  applyRetention,
  type ClickHouse,
  JournalStore,
  migrateClickHouse,
  pendingMigrations,
} from '@trellis/store-clickhouse';
import { SharedTail } from '../tail/shared-tail.ts';
import { CatchUpProgress } from '../telemetry/catch-up-progress.ts';
import { type BlockLimits, followStream, type Pace, readRange } from './follow-stream.ts';
import { HistoryLease } from './history-lease.ts';
import { JournalWriter } from './journal-writer.ts';
import { releasedBlock, releaseQuarantine } from './quarantine-release.ts';
import { decideStart, keptSince } from './start-decision.ts';

/** What the pipeline does now, and its counts since the start. */
export interface HistoryStatus {
  /** `standby`: another instance writes. */
  role: 'starting' | 'standby' | 'writing';
  /** The error of the last insert, until one succeeds. */
  storeError: unknown;
  generation: number;
  /** Stream sequence up to which the history is written. */
  position: number;
  /** Messages that the stream had after it. */
  pending: number;
  rows: number;
  quarantined: number;
  released: number;
  blocks: number;
}

export interface HistoryPipelineOptions {
  stream: JobStream;
  clickhouse: ClickHouse;
  /** Name of this process, for the record and the log. */
  owner: string;
  log: Logger;
  signal: AbortSignal;
  /** Key-value bucket of the pipelines' records, and the key in it; made when missing. */
  bucket?: string;
  key?: string;
  /** Replicas of a bucket that is made here; default 1. */
  replicas?: number;
  /** Durable consumer of the stream. */
  consumer?: string;
  /** The tail that this process's pipelines share; default: one of its own. */
  tail?: SharedTail;
  leaseMs?: number;
  /** Days for which ClickHouse keeps the history; default: forever. */
  ttlDays?: number;
  limit?: BlockLimits;
  paceMs?: Pace;
  /** Told after every change. */
  status?: (status: Readonly<HistoryStatus>) => void;
}

const LIMIT: BlockLimits = { rows: 100_000, bytes: 32 * 1024 * 1024 };
const PACE_MS: Pace = { caughtUp: 250, rest: 2_000, behind: 5_000 };

/** Part of the owner's name in the record, so that two processes with one configuration are two owners. */
const PROCESS = randomUUID().slice(0, 8);

/**
 * Runs until `signal` aborts. Any number of instances may run: one writes, the others stand by.
 * @throws when it must start over (lease lost, stream recreated, ClickHouse or NATS unreachable): run it again
 */
export async function runHistoryPipeline(options: HistoryPipelineOptions): Promise<void> {
  const { stream, owner, log, signal, leaseMs = 10_000 } = options;
  const status: HistoryStatus = { ...IDLE };
  const tell = (change: Partial<HistoryStatus>) => options.status?.(Object.assign(status, change));
  tell({});

  const kv = await new Kvm(stream.js).create(options.bucket ?? DEFAULT_PIPELINES_BUCKET, {
    history: 1,
    replicas: options.replicas ?? 1,
  });
  const lease = await HistoryLease.acquire({
    kv,
    key: options.key ?? PIPELINE_RECORD_KEY,
    owner: `${owner}/${PROCESS}`,
    leaseMs,
    signal,
    log,
    standby: () => {
      log.info('another instance writes the history; this one stands by');
      tell({ role: 'standby' });
    },
  });
  if (!lease) return;
  try {
    await write(options, lease, tell);
    if (!signal.aborted) lease.lost.throwIfAborted();
  } finally {
    tell({ role: 'starting' });
    await lease.release();
  }
}

const IDLE: HistoryStatus = {
  role: 'starting',
  storeError: undefined,
  generation: 0,
  position: 0,
  pending: 0,
  rows: 0,
  quarantined: 0,
  released: 0,
  blocks: 0,
};

async function write(
  options: HistoryPipelineOptions,
  lease: HistoryLease,
  tell: (change: Partial<HistoryStatus>) => void,
): Promise<void> {
  const { stream, clickhouse, log, ttlDays, consumer = 'history' } = options;
  const { limit = LIMIT, paceMs = PACE_MS } = options;
  const signal = AbortSignal.any([options.signal, lease.lost]);
  const store = new JournalStore(clickhouse);
  const storeFailed = (storeError: unknown) => tell({ storeError });
  const writer = new JournalWriter({ lease, store, log, signal, ttlDays, storeFailed });
  // Tables created now would not know the token of a repeated block.
  if (lease.record.intent && (await pendingMigrations(clickhouse)).length > 0) {
    await lease.update({ rebuild: 'an insert was begun and not confirmed before tables were replaced' });
  }
  // By the one that writes: no block may come in while a view is replaced.
  const migrations = await migrateClickHouse(clickhouse);
  if (migrations.length > 0) log.info({ migrations, database: clickhouse.database }, 'ClickHouse was migrated');
  const changed = await applyRetention(clickhouse, ttlDays);
  if (changed.length > 0)
    log.info({ tables: changed, ttlDays }, 'the retention of the history in ClickHouse was changed');
  await beginOrContinue(stream, store, lease, keptSince(ttlDays, Date.now()), log);
  const { generation, intent } = lease.record;
  tell({ role: 'writing', generation, position: lease.record.position });

  if (intent) {
    log.info({ intent }, 'an insert was begun and not confirmed; it is finished');
    const block =
      intent.kind === 'tail'
        ? await readRange({ stream, consumer, lease, signal, log }, intent)
        : await releasedBlock(store, generation, intent);
    if (signal.aborted) return;
    await writer.finish(intent, block);
  }
  const released = await releaseQuarantine({ store, writer, generation, limit, signal });
  if (released > 0) log.info({ released }, 'messages of the quarantine can be read now; they are events');

  const sums = { rows: 0, quarantined: 0, released, blocks: 0 };
  const progress = new CatchUpProgress(log, 'history');
  await followStream({
    stream,
    tail: options.tail ?? new SharedTail({ stream, log, maxMessages: 1_000, lingerMs: 20 }),
    consumer,
    lease,
    writer,
    limit,
    paceMs,
    signal,
    log,
    wrote: (written) => {
      sums.rows += written.rows;
      sums.quarantined += written.quarantined;
      sums.blocks += 1;
      progress.passed(written.rows, written.position, written.pending);
      tell({ ...sums, position: written.position, pending: written.pending });
    },
  });
}

/** Continues the history of the record, or starts a new generation from the stream's start. */
async function beginOrContinue(
  stream: JobStream,
  store: JournalStore,
  lease: HistoryLease,
  since: string | undefined,
  log: Logger,
): Promise<void> {
  const { record } = lease;
  const { sequence } = record.written;
  const [info, message, greatestGeneration, greatest] = await Promise.all([
    stream.info(),
    sequence > 0 ? stream.messageAt(sequence) : undefined,
    store.greatestGeneration(),
    store.greatestMessage(record.generation, sequence),
  ]);
  const decision = decideStart({
    record,
    stream: info,
    writtenStoredAt: message?.storedAt,
    journal: { generation: greatestGeneration, greatestSequence: greatest?.sequence ?? 0 },
    keptSince: since,
  });
  if (decision.kind === 'continue') {
    log.info(
      { position: record.position, generation: record.generation, epoch: record.epoch },
      'this instance writes the history',
    );
    return;
  }
  const generation = Math.max(record.generation, greatestGeneration) + 1;
  const { why } = decision;
  const from = info.firstSequence;
  const begins = { why, generation, epoch: record.epoch, firstSequence: from, lastSequence: info.lastSequence };
  if (record.generation === 0) log.info(begins, 'this instance begins the history of the stream');
  else log.warn(begins, 'the history is written anew from the first message of the stream');
  await lease.update({
    streamCreated: info.created,
    generation,
    position: 0,
    written: NOTHING_WRITTEN,
    intent: null,
    rebuild: undefined,
  });
  await store.beginGeneration(generation, info.created, why);
  countMetric('trellis.projector.rebuilds', { pipeline: 'history' });
}
