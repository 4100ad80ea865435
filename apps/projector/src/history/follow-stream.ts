// From the stream into the journal: collects and encodes the next block during the insert of the previous one, and paces the
// inserts: events become visible soon, and ClickHouse gets few large parts. How a block is written is journal-writer.ts.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Logger } from '@trellis/async';
import { decodeEvent, type Intent, type Quarantined } from '@trellis/contracts';
import { countMetric } from '@trellis/instrumentation';
import type { JobStream } from '@trellis/nats';
import { JournalBlock } from '@trellis/store-clickhouse';
import type { SharedTail } from '../tail/shared-tail.ts';
import { tailStream } from '../tail/tail-stream.ts';
import { projectBatch } from '../telemetry/project-batch.ts';
import { BlockBuffer, type CollectedBlock } from './block-buffer.ts';
import type { HistoryLease } from './history-lease.ts';
import type { JournalWriter } from './journal-writer.ts';

export interface BlockLimits {
  rows: number;
  bytes: number;
}

/** Between the starts of two inserts, in milliseconds. */
export interface Pace {
  /** At least, when everything is caught up. */
  caughtUp: number;
  /** At most, however long an insert takes. */
  rest: number;
  /** At most, for a block to fill. */
  behind: number;
}

export interface FollowOptions {
  stream: JobStream;
  tail: SharedTail;
  /** Durable name. */
  consumer: string;
  lease: HistoryLease;
  writer: JournalWriter;
  limit: BlockLimits;
  paceMs: Pace;
  signal: AbortSignal;
  log: Logger;
  /** Called after each block that was written. */
  wrote: (written: { rows: number; quarantined: number; position: number; pending: number }) => void;
}

/** Messages of a range that are read from the stream in one go. */
const BATCH_MESSAGES = 1_000;
/** Messages encoded without a break: other work of the process waits for them. */
const SLICE_MESSAGES = 250;
/** After catch-up, the pause before an insert is this many times the duration of the previous one. */
const REST_FACTOR = 9;

/**
 * Writes everything after the record's position, forever; returns when `signal` aborts, the block held written.
 * @throws what the tail and the writer throw
 */
export async function followStream(options: FollowOptions): Promise<void> {
  const { lease, signal, limit } = options;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const buffer = new BlockBuffer(lease.record.generation, limit, stop);
  const side = (run: Promise<void>) =>
    run.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
  const sides = [side(collect(options, buffer, stop)), side(write(options, buffer, stop))];
  await Promise.allSettled(sides);
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function collect(options: FollowOptions, buffer: BlockBuffer, stop: AbortSignal): Promise<void> {
  const { tail, consumer, lease } = options;
  const { position, streamCreated: created } = lease.record;
  for await (const batch of tail.follow({ consumer, from: position + 1, created, signal: stop })) {
    let index = 0;
    for (const message of batch.messages) {
      if (buffer.full) await buffer.until(() => !buffer.full);
      if (index % SLICE_MESSAGES === SLICE_MESSAGES - 1) {
        await yieldToOthers();
        if (stop.aborted) return;
      }
      const decoded = batch.decoded[index++];
      if (decoded) buffer.add(message, decoded);
    }
    buffer.passed(batch.last, batch.pending, batch.ack);
  }
}

async function write(options: FollowOptions, buffer: BlockBuffer, stop: AbortSignal): Promise<void> {
  const { writer, paceMs, log, wrote } = options;
  // The first block of a backlog fills like any other.
  let begunAt = performance.now();
  let restMs = 0;
  while (!stop.aborted) {
    await buffer.until(() => buffer.waiting);
    await buffer.until(() => buffer.full, begunAt + restMs - performance.now());
    if (buffer.pending > 0) {
      await buffer.until(() => !buffer.fills, begunAt + paceMs.behind - performance.now());
    }
    if (stop.aborted) return;
    const wasBehind = buffer.pending > 0;
    const collected = buffer.take();
    const { block, passed, ack } = collected;
    begunAt = performance.now();
    await record(options, collected, () => writer.writeNext(block, passed));
    ack();
    // ClickHouse folds the runs in each insert, which takes its time for a few events, too. A backlog is not held up: there
    // the filling of blocks is the pace.
    const dueMs = wasBehind ? 0 : REST_FACTOR * (performance.now() - begunAt);
    restMs = Math.max(paceMs.caughtUp, Math.min(dueMs, paceMs.rest));
    if (block.rows === 0) continue;
    if (block.firstQuarantined) logQuarantined(log, block.quarantined, block.firstQuarantined);
    wrote({ rows: block.rows, quarantined: block.quarantined, position: passed, pending: buffer.pending });
  }
}

async function record(options: FollowOptions, collected: CollectedBlock, write: () => Promise<void>): Promise<void> {
  const { stream, consumer } = options;
  const { block, jobs, quarantined } = collected;
  const pipeline = 'history';
  const range = { messages: block.rows, first: block.from, last: block.to };
  await projectBatch({ pipeline, stream: stream.names.jobs, consumer, ...range, jobs: jobs.values() }, write);
  for (const [code, times] of quarantined) countMetric('trellis.projector.quarantined', { pipeline, code }, times);
}

/** What the range of a started insert holds now; incomplete when the signal has aborted. */
export async function readRange(
  options: Pick<FollowOptions, 'stream' | 'consumer' | 'lease' | 'signal' | 'log'>,
  intent: Intent,
): Promise<JournalBlock> {
  const block = new JournalBlock(options.lease.record.generation);
  const { stream, consumer, lease, signal, log } = options;
  const range = tailStream({
    stream,
    consumer,
    from: intent.from,
    created: lease.record.streamCreated,
    maxMessages: BATCH_MESSAGES,
    lingerMs: 0,
    idleCheckMs: 500,
    signal,
    log,
  });
  for await (const batch of range) {
    for (const message of batch.messages) {
      if (message.sequence <= intent.to) block.add(message, decodeEvent(message));
    }
    if (batch.last >= intent.to) break;
    await yieldToOthers();
  }
  return block;
}

function logQuarantined(log: Logger, quarantined: number, first: Quarantined): void {
  const { sequence, subject, code, reason } = first;
  const example = { sequence, subject, code, reason };
  log.warn({ quarantined, first: example }, 'messages of the stream cannot be read; they are in the quarantine');
}
