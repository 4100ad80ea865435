// Writes blocks into the journal exactly once: the range into the record, the block into ClickHouse, the checkpoint into the
// record. Repeats an insert with the same token until it succeeds, then checks the result; never skips a block.
import { backoffMs, type Logger, sleep } from '@trellis/async';
import type { Intent } from '@trellis/contracts';
import { type JournalBlock, JournalGone, type JournalStore } from '@trellis/store-clickhouse';
import { type HistoryLease, LeaseLost } from './history-lease.ts';
import { journalMismatch, keptSince } from './start-decision.ts';

/** The journal has changed since the lease was acquired: the start decision must be made again. */
class JournalDiverged extends Error {
  override readonly name = 'JournalDiverged';
}

export interface WriterOptions {
  lease: HistoryLease;
  store: JournalStore;
  log: Logger;
  /** Ends the waits between tries; an insert that is in flight is waited for. */
  signal: AbortSignal;
  /** Days for which ClickHouse keeps the history; undefined: forever. */
  ttlDays?: number | undefined;
  /** Called with the error of each failed insert, and with undefined after the next success. */
  storeFailed?: (error: unknown) => void;
}

export class JournalWriter {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Writes the next block of the stream.
   * @param passed stream sequence up to which there is nothing more to write
   * @throws LeaseLost, JournalGone, JournalDiverged; the last error when the signal aborted
   */
  async writeNext(block: JournalBlock, passed: number): Promise<void> {
    const { lease } = this.#options;
    if (block.rows > 0) {
      const { generation, from, to, toStoredAt } = block;
      const token = `${generation}:${from}-${to}`;
      await lease.update({ intent: { kind: 'tail', from, to, token } });
      const failures = await this.append(block, token);
      if (failures > 0) await this.#verifyBlock(block);
      await lease.update({ position: passed, written: { sequence: to, storedAt: toStoredAt }, intent: null });
    } else if (passed > lease.record.position) {
      await lease.update({ position: passed });
    }
  }

  /** Moves messages from the quarantine to the events. */
  async writeReleased(block: JournalBlock): Promise<void> {
    const { lease } = this.#options;
    const { generation, from, to } = block;
    // Another version may release more of the same range: the epoch keeps their tokens apart.
    const token = `${generation}:release:${lease.record.epoch}:${from}-${to}`;
    await lease.update({ intent: { kind: 'release', from, to, token } });
    await this.append(block, token);
    await lease.update({ intent: null });
  }

  /** Ends an intent that was found in the record: `block` is what its range holds now. */
  async finish(intent: Intent, block: JournalBlock): Promise<void> {
    const { lease, store } = this.#options;
    if (block.rows > 0) await this.append(block, intent.token);
    if (intent.kind === 'release') return lease.update({ intent: null });
    if (block.rows > 0) await this.#verifyBlock(block);
    // Messages purged from the stream since are in the journal if the insert had arrived, otherwise nowhere.
    const { generation, written } = lease.record;
    const greatest = await store.greatestMessage(generation, written.sequence);
    await lease.update({ position: intent.to, written: greatest ?? written, intent: null });
  }

  /** @returns the number of tries that failed or had no reply */
  private async append(block: JournalBlock, token: string): Promise<number> {
    const { lease, store, log, signal, storeFailed } = this.#options;
    for (let failures = 0; ; ) {
      try {
        await lease.ensure();
        if (failures > 0) await this.#verifyJournal();
        await store.append(block, token);
        if (failures > 0) {
          log.info({ token, failures }, 'ClickHouse takes the history again');
          storeFailed?.(undefined);
        }
        return failures;
      } catch (error) {
        if (isFinal(error) || signal.aborted) throw error;
        failures += 1;
        storeFailed?.(error);
        const waitMs = Math.round(backoffMs(failures, 100, 5_000));
        log.warn(
          { error, token, rows: block.rows, failures, waitMs },
          'ClickHouse did not take a block; it is tried again',
        );
        await sleep(waitMs, signal);
        if (signal.aborted) throw error;
      }
    }
  }

  /**
   * A killed server may have noted the token of a part without keeping the part: then the repeat is dropped, and only a new
   * history is whole again.
   */
  async #verifyBlock(block: JournalBlock): Promise<void> {
    const { lease, store, ttlDays } = this.#options;
    // What is so old may have been dropped already.
    const since = keptSince(ttlDays, Date.now());
    if (since !== undefined && block.fromStoredAt < since) return;
    const tables = await store.tablesThatLack(block);
    if (tables.length === 0) return;
    const rebuild = `ClickHouse lost rows of ${block.from} to ${block.to} in ${tables.join(', ')} when it was killed`;
    await lease.update({ rebuild });
    throw new JournalDiverged(rebuild);
  }

  /** A server may come back empty, or restored from a backup. */
  async #verifyJournal(): Promise<void> {
    const { lease, store, ttlDays } = this.#options;
    const { record } = lease;
    const generation = await store.greatestGeneration();
    if (generation !== record.generation) throw new JournalDiverged(`ClickHouse is at generation ${generation}`);
    const greatest = await store.greatestMessage(record.generation, record.written.sequence);
    const mismatch = journalMismatch(record, greatest?.sequence ?? 0, keptSince(ttlDays, Date.now()));
    if (mismatch !== undefined) throw new JournalDiverged(mismatch);
  }
}

const isFinal = (error: unknown): boolean =>
  error instanceof LeaseLost || error instanceof JournalGone || error instanceof JournalDiverged;
