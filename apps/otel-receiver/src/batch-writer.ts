// Keeps what was received until it is stored, up to a size: received rows wait in memory, are written in batches, and are
// tried again while the store is away. Which rows there are is left to others.
import type { Logger } from '@trellis/async';
import { RowsRefused, TablesGone } from '@trellis/store-traces';

export interface BatchWriterOptions<Row> {
  /** For the log: `spans`. */
  what: string;
  insert: (rows: readonly Row[]) => Promise<void>;
  /** Makes the tables: before the first rows, and again when they are gone. */
  prepare: () => Promise<void>;
  /** Rows that wait together have at most so many bytes, as they were received. */
  maxBytes: number;
  /** Most rows of one insert. */
  maxRows: number;
  log: Logger;
}

/** A batch that the server refuses so often is given up, so that those behind it are stored. */
const MAX_REFUSALS = 5;

export class BatchWriter<Row> {
  readonly #options: BatchWriterOptions<Row>;
  #waiting: { rows: Row[]; bytes: number }[] = [];
  #bytes = 0;
  #refusals = 0;
  #prepared = false;
  /** Rows given up since the start. */
  dropped = 0;

  constructor(options: BatchWriterOptions<Row>) {
    this.#options = options;
  }

  /** Nothing more is taken for now. */
  get full(): boolean {
    return this.#bytes >= this.#options.maxBytes;
  }

  /** Takes the rows; false: there is no room. @param bytes what they had when they were received */
  offer(rows: Row[], bytes: number): boolean {
    if (rows.length === 0) return true;
    if (this.full) return false;
    this.#waiting.push({ rows, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Writes all that waits. @throws what the store said; the rows then wait on */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      const taken = this.#nextBatch();
      const rows = taken.flatMap((part) => part.rows);
      try {
        // All tables, before there are rows: what fills one from another sees only what comes after it.
        if (!this.#prepared) await this.#options.prepare();
        this.#prepared = true;
        await this.#options.insert(rows);
      } catch (error) {
        if (!this.#givenUp(error, rows.length)) throw error;
      }
      this.#refusals = 0;
      this.#waiting.splice(0, taken.length);
      for (const { bytes } of taken) this.#bytes -= bytes;
    }
  }

  /** From the oldest on as many as one insert takes, one at least. */
  #nextBatch(): { rows: Row[]; bytes: number }[] {
    let rows = 0;
    const more = this.#waiting.findIndex((part, at) => {
      rows += part.rows.length;
      return at > 0 && rows > this.#options.maxRows;
    });
    return this.#waiting.slice(0, more === -1 ? undefined : more);
  }

  #givenUp(error: unknown, rows: number): boolean {
    if (error instanceof TablesGone) this.#prepared = false;
    if (!(error instanceof RowsRefused)) return false;
    this.#refusals++;
    if (this.#refusals < MAX_REFUSALS) return false;
    this.dropped += rows;
    this.#options.log.error({ error, rows }, `the store refuses these ${this.#options.what}; they are given up`);
    return true;
  }
}
