// The tail collects the next block here while the writer inserts the previous one. Bounded to one block.

import { sleep } from '@trellis/async';
import type { Decoded, QuarantineCode, StoredMessage } from '@trellis/contracts';
import { JournalBlock } from '@trellis/store-clickhouse';
import { MAX_LINKS } from '../telemetry/project-batch.ts';

export interface CollectedBlock {
  block: JournalBlock;
  /** Stream sequence up to which everything is in this block or in an earlier one. */
  passed: number;
  /** Acknowledges the last whole batch of the tail in it. */
  ack: () => void;
  /** `traceparent` of the first jobs in it, by job. */
  jobs: Map<string, string>;
  /** Messages that cannot be read, by code. */
  quarantined: Map<QuarantineCode, number>;
}

export class BlockBuffer {
  readonly #generation: number;
  readonly #limit: { rows: number; bytes: number };
  readonly #signal: AbortSignal;
  #collected: CollectedBlock;
  #pending = 0;
  #wake = new AbortController();

  /** @param signal ends every wait */
  constructor(generation: number, limit: { rows: number; bytes: number }, signal: AbortSignal) {
    this.#generation = generation;
    this.#limit = limit;
    this.#signal = signal;
    this.#collected = this.#empty();
    signal.addEventListener('abort', () => this.#wake.abort('awake'), { once: true });
  }

  get block(): JournalBlock {
    return this.#collected.block;
  }

  get full(): boolean {
    return this.block.rows >= this.#limit.rows || this.block.bytes >= this.#limit.bytes;
  }

  /** Whether more messages wait than are in it: towards the end blocks get smaller, so that the last one is quick. */
  get fills(): boolean {
    return !this.full && this.#pending > this.block.rows;
  }

  /** Messages that the stream still has after those collected. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether anything is collected: rows, or sequences without rows. */
  get waiting(): boolean {
    return this.#collected.passed > 0;
  }

  add(message: StoredMessage, decoded: Decoded): void {
    this.block.add(message, decoded);
    this.#collected.passed = message.sequence;
    const { jobs, quarantined } = this.#collected;
    if (decoded.kind === 'quarantined') {
      const { code } = decoded.quarantined;
      quarantined.set(code, (quarantined.get(code) ?? 0) + 1);
    } else if (jobs.size < MAX_LINKS) {
      const { jobId, context } = decoded.stored.event;
      jobs.set(jobId, context.traceparent);
    }
    if (this.full) this.#changed();
  }

  /** A batch of the tail is in whole. */
  passed(sequence: number, pending: number, ack: () => void): void {
    this.#collected.passed = sequence;
    this.#collected.ack = ack;
    this.#pending = pending;
    this.#changed();
  }

  /** Takes what was collected; collecting continues with an empty block. */
  take(): CollectedBlock {
    const taken = this.#collected;
    this.#collected = this.#empty();
    this.#changed();
    return taken;
  }

  /** Resolves when `condition` holds after a change, the signal aborts, or `ms` are over. */
  async until(condition: () => boolean, ms = 3_600_000): Promise<void> {
    const end = performance.now() + ms;
    while (!condition() && !this.#signal.aborted) {
      const left = end - performance.now();
      if (left <= 0) return;
      await sleep(left, this.#wake.signal);
    }
  }

  #changed(): void {
    this.#wake.abort('awake');
    this.#wake = new AbortController();
  }

  #empty(): CollectedBlock {
    const block = new JournalBlock(this.#generation);
    return { block, passed: 0, ack: () => undefined, jobs: new Map(), quarantined: new Map() };
  }
}
