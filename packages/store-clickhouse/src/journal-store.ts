// Writes the history to ClickHouse: appends each block exactly once and reads the checkpoint of a generation. Leaves to the
// projector who may write and which ranges form blocks (docs/adr/0003-history-exactly-once.md).
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import type { StoredMessage } from '@trellis/contracts';
import type { JournalBlock } from './journal-block.ts';
import { countMissingRows } from './missing-rows.ts';
import type { ClickHouse } from './open-clickhouse.ts';
import { statement } from './statement.ts';

/** The tables or the database are gone. Run the migrations before anything else. */
export class JournalGone extends Error {
  override readonly name = 'JournalGone';
}

const INSERT_JOURNAL = statement('insert-journal');
const INSERT_GENERATION = statement('insert-generation');
const READ_GREATEST_GENERATION = statement('read-greatest-generation');
const READ_GREATEST_MESSAGE = statement('read-greatest-message');
const READ_QUARANTINED = statement('read-quarantined');

/**
 * Settings that make a repeated insert take effect once. Each insert sends all of them, because defaults differ between versions
 * (since 26.2 inserts are asynchronous by default).
 */
const EXACTLY_ONCE: ClickHouseSettings = {
  async_insert: 0,
  insert_deduplicate: 1,
  deduplicate_blocks_in_dependent_materialized_views: 1,
  // One insert is one block, so that its token covers all of its rows.
  max_insert_block_size: '100000000',
  min_insert_block_size_rows: '100000000',
  min_insert_block_size_bytes: '0',
  // A block of a sparse stream may span many months.
  max_partitions_per_insert_block: '0',
};
/** Newer settings that override those above; sent only to servers that know them. */
const IF_SUPPORTED: ClickHouseSettings = { deduplicate_insert: 'enable' };
/**
 * Up to this number of rows, an insert mostly spends its time planning the query that folds runs: merging its expressions takes
 * longer than running them one by one.
 */
const FEW_ROWS = 2_000;
const FEW_ROWS_IF_SUPPORTED: ClickHouseSettings = { query_plan_merge_expressions: 0 };

export class JournalStore {
  readonly #client: ClickHouseClient;
  #supported: Promise<ReadonlySet<string>> | undefined;

  constructor(clickhouse: ClickHouse) {
    this.#client = clickhouse.client;
  }

  /** The greatest generation started so far; 0 when there is none. */
  async greatestGeneration(): Promise<number> {
    const rows = await this.#run(async () => {
      const result = await this.#client.query({ query: READ_GREATEST_GENERATION, format: 'JSONEachRow' });
      return result.json<{ generation: number }>();
    });
    return rows[0]?.generation ?? 0;
  }

  /** Makes `generation` the current one: the views show it from now on. */
  async beginGeneration(generation: number, streamCreated: string, why: string): Promise<void> {
    const settings = await this.#insertSettings(`generation:${generation}`, 1);
    await this.#run(() =>
      this.#client.command({
        query: INSERT_GENERATION,
        query_params: { generation, streamCreated: Date.parse(streamCreated), why },
        clickhouse_settings: settings,
      }),
    );
  }

  /** The message with the greatest sequence of a generation, from sequence `atLeast` on; undefined when there is none. */
  async greatestMessage(
    generation: number,
    atLeast: number,
  ): Promise<{ sequence: number; storedAt: string } | undefined> {
    const rows = await this.#run(async () => {
      const query_params = { generation, atLeast };
      const result = await this.#client.query({ query: READ_GREATEST_MESSAGE, query_params, format: 'JSONEachRow' });
      return result.json<{ sequence: string | number; storedAt: string | number }>();
    });
    const sequence = Number(rows[0]?.sequence ?? 0);
    return sequence === 0 ? undefined : { sequence, storedAt: toInstant(rows[0]?.storedAt) };
  }

  /**
   * Appends a block. Of all calls with the same token, concurrent or after failures, exactly one takes effect, whatever their
   * content.
   * @throws {JournalGone} after any other error it is unknown whether the block was stored
   */
  async append(block: JournalBlock, token: string): Promise<void> {
    const settings = await this.#insertSettings(token, block.rows);
    await this.#run(async () => {
      const { stream } = await this.#client.exec({
        query: INSERT_JOURNAL,
        values: Readable.from(block.frames(), { objectMode: false }),
        http_headers: { 'Content-Encoding': 'zstd' },
        clickhouse_settings: settings,
      });
      stream.resume();
    });
  }

  /**
   * Checks that the last appended block is complete in the journal and in the tables fed from it. A killed server may have kept
   * a token without the rows of its block; it then drops a repeated insert.
   * @returns the tables that lack rows of the block
   */
  async tablesThatLack(block: JournalBlock): Promise<string[]> {
    const { generation, from, to, rows } = block;
    const result = await this.#run(() =>
      this.#client.query({
        query: countMissingRows(),
        query_params: { generation, from, to, rows },
        format: 'JSONEachRow',
      }),
    );
    const tables = await result.json<{ table: string; missing: string | number }>();
    return tables.filter(({ missing }) => Number(missing) > 0).map(({ table }) => table);
  }

  /** The quarantined messages of a range of sequences, in stream order. `released`: includes messages that were released. */
  async *quarantined(
    generation: number,
    range: { first: number; last: number; released: boolean },
  ): AsyncGenerator<StoredMessage, void, undefined> {
    const result = await this.#run(() =>
      this.#client.query({
        query: READ_QUARANTINED,
        query_params: { generation, ...range, released: range.released ? 1 : 0 },
        format: 'JSONEachRow',
      }),
    );
    for await (const rows of result.stream<QuarantinedRow>()) {
      for (const row of rows) {
        const { sequence, storedAt, subject, body } = row.json();
        yield {
          sequence: Number(sequence),
          storedAt: toInstant(storedAt),
          subject,
          data: Buffer.from(body, 'base64'),
        };
      }
    }
  }

  async #insertSettings(token: string, rows: number): Promise<ClickHouseSettings> {
    this.#supported ??= this.#querySupportedSettings();
    // A failed query is not cached.
    this.#supported.catch(() => (this.#supported = undefined));
    const supported = await this.#supported;
    const wanted = Object.entries({ ...IF_SUPPORTED, ...(rows <= FEW_ROWS && FEW_ROWS_IF_SUPPORTED) });
    return {
      ...EXACTLY_ONCE,
      ...Object.fromEntries(wanted.filter(([name]) => supported.has(name))),
      insert_deduplication_token: token,
    };
  }

  async #querySupportedSettings(): Promise<ReadonlySet<string>> {
    const result = await this.#client.query({
      query: 'SELECT name FROM system.settings WHERE name IN ({names: Array(String)})',
      query_params: { names: Object.keys({ ...IF_SUPPORTED, ...FEW_ROWS_IF_SUPPORTED }) },
      format: 'JSONEachRow',
    });
    const names = await result.json<{ name: string }>();
    return new Set(names.map(({ name }) => name));
  }

  async #run<Result>(request: () => Promise<Result>): Promise<Result> {
    try {
      return await request();
    } catch (error) {
      if (error instanceof ClickHouseError && GONE.has(error.code)) {
        throw new JournalGone(`the journal is gone: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }
}

const toInstant = (millis: string | number | undefined): string => new Date(Number(millis)).toISOString();

/** UNKNOWN_TABLE, UNKNOWN_DATABASE */
const GONE: ReadonlySet<string> = new Set(['60', '81']);

interface QuarantinedRow {
  sequence: string | number;
  storedAt: string | number;
  subject: string;
  body: string;
}
