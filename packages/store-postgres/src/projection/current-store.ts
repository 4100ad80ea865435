// Writes the projection of current state: jobs, log lines, counts, quarantine and checkpoint, together in one transaction
// that the pipeline's fence guards.
import type { QuarantineCode, Quarantined } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { Postgres, PreparedSql, Queryable } from '../connection/open-postgres.ts';
import { allPipelined } from '../connection/pipelined-statements.ts';
import { preparedSqlFile, sqlFile } from '../connection/sql-file.ts';
import { contentRefusal, type StoreRefusal } from '../connection/store-refusal.ts';
import { insertParameters, updateParameters } from '../encoding/job-columns.ts';
import { addErrorCounts } from './error-counts.ts';
import type { BatchCommit, JobChange } from './job-change.ts';
import { type Lease, PipelineLeases } from './pipeline-leases.ts';
import { fromJobRow, inChunks, type LoadedJobRow, planWrites, toLogRows } from './plan-writes.ts';

const sql = {
  advance: preparedSqlFile('projection/advance-position'),
  load: preparedSqlFile('projection/load-jobs'),
  insert: preparedSqlFile('projection/insert-jobs'),
  update: preparedSqlFile('projection/update-jobs'),
  deleteJobs: sqlFile('projection/delete-jobs'),
  deleteLogs: sqlFile('projection/delete-job-logs'),
  insertLogs: preparedSqlFile('projection/insert-job-logs'),
  addCounts: preparedSqlFile('projection/add-job-counts'),
  quarantine: sqlFile('projection/insert-quarantined'),
  release: sqlFile('projection/delete-quarantined'),
  listQuarantined: sqlFile('projection/list-quarantined'),
  findStart: sqlFile('projection/find-start'),
  clear: sqlFile('projection/clear-projection'),
};

/** Another owner has the pipeline's lease, or the checkpoint is not the expected one. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}

export type CommitOutcome =
  | { kind: 'committed' }
  /** Postgres refused the content of a row; nothing was written. */
  | { kind: 'refused'; refusal: StoreRefusal }
  /** A row differs from `before`: it was removed or added since it was loaded; nothing was written. */
  | { kind: 'outdated' };

/** Ends a transaction without writing anything. */
class RollBack extends Error {
  readonly outcome: CommitOutcome;

  constructor(outcome: CommitOutcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

export class CurrentStore {
  static readonly pipeline = 'current';
  readonly leases: PipelineLeases;
  readonly #postgres: Postgres;

  constructor(postgres: Postgres, options: { leaseMs?: number } = {}) {
    this.#postgres = postgres;
    this.leases = new PipelineLeases(postgres, CurrentStore.pipeline, options.leaseMs ?? 10_000);
  }

  /** Whether any job has a row, and the greatest quarantined sequence of that stream (0: none). */
  async findStart(streamCreated: string | undefined): Promise<{ hasJobs: boolean; quarantinedUpTo: number }> {
    type Found = { has_jobs: boolean; quarantined_up_to: number };
    const { rows } = await this.#postgres.query<Found>(sql.findStart, [streamCreated ?? null]);
    const [found] = rows;
    return { hasJobs: found?.has_jobs === true, quarantinedUpTo: found?.quarantined_up_to ?? 0 };
  }

  /** The jobs that have a row, by id, without log lines; payload and result are `NOT_LOADED`. */
  async loadJobs(ids: readonly string[]): Promise<Map<string, FoldedJob>> {
    if (ids.length === 0) return new Map();
    const { rows } = await this.#postgres.query<LoadedJobRow>(sql.load, [ids]);
    return new Map(rows.map((row) => [row.id, fromJobRow(row)]));
  }

  /**
   * Writes a batch and advances the checkpoint from `from` to `to` in one transaction.
   * @throws {Fenced} when another owner has the lease, or the checkpoint is not at `from`
   */
  commitBatch(lease: Lease, batch: BatchCommit): Promise<CommitOutcome> {
    return this.#write(lease, batch, false);
  }

  /** A dry run of `commitBatch`: returns its outcome and writes nothing. */
  tryChanges(lease: Lease, position: number, jobs: readonly JobChange[]): Promise<CommitOutcome> {
    const changes = planWrites(jobs);
    const batch = { from: position, to: position, toStoredAt: undefined, changes, quarantined: [], released: [] };
    return this.#write(lease, batch, true);
  }

  /**
   * Empties the projection and resets the checkpoint to before the first sequence of the stream. The quarantine stays.
   * @throws {Fenced}
   */
  async clear(lease: Lease, position: number): Promise<void> {
    await this.#postgres.transaction(async (client) => {
      await this.#advance(client, lease, { from: position, to: 0, toStoredAt: undefined });
      await client.query(sql.clear);
    });
  }

  /** One page of the quarantined messages of the lease's stream, in stream order, after sequence `after` and up to `upTo`. */
  async listQuarantined(lease: Lease, after: number, upTo: number, limit: number): Promise<Quarantined[]> {
    const { rows } = await this.#postgres.query<QuarantineRow>(sql.listQuarantined, [
      lease.streamCreated,
      after,
      upTo,
      limit,
    ]);
    return rows.map((row) => ({
      sequence: row.sequence,
      storedAt: row.stored_at,
      subject: row.subject,
      code: row.code,
      reason: row.reason,
      data: row.body,
      ...(row.store_code === null ? {} : { storeCode: row.store_code }),
    }));
  }

  async #write(lease: Lease, batch: BatchCommit, dryRun: boolean): Promise<CommitOutcome> {
    try {
      return await this.#postgres.transaction(async (client) => {
        const [, outcome] = await allPipelined(this.#advance(client, lease, batch), writeBatch(client, lease, batch));
        if (dryRun || outcome.kind !== 'committed') throw new RollBack(outcome);
        return outcome;
      });
    } catch (error) {
      if (error instanceof RollBack) return error.outcome;
      const refusal = contentRefusal(error);
      if (refusal) return { kind: 'refused', refusal };
      throw error;
    }
  }

  async #advance(
    client: Queryable,
    lease: Lease,
    { from, to, toStoredAt }: Pick<BatchCommit, 'from' | 'to' | 'toStoredAt'>,
  ) {
    const values = [
      lease.pipeline,
      lease.epoch,
      from,
      to,
      toStoredAt ?? null,
      lease.streamCreated,
      this.leases.leaseMs,
    ];
    const { rowCount } = await client.query(sql.advance, values);
    if (rowCount !== 1)
      throw new Fenced(`pipeline ${lease.pipeline}: lease or checkpoint lost (epoch ${lease.epoch}, position ${from})`);
  }
}

interface QuarantineRow extends Record<string, unknown> {
  sequence: number;
  stored_at: string;
  subject: string;
  code: QuarantineCode;
  reason: string;
  store_code: string | null;
  body: Uint8Array;
}

async function writeBatch(client: Queryable, lease: Lease, batch: BatchCommit): Promise<CommitOutcome> {
  const { changes, quarantined, released } = batch;
  const { restarted, inserts, updates, logs, counts, errors } = changes;
  const removing =
    restarted.length > 0 ? [client.query(sql.deleteJobs, [restarted]), client.query(sql.deleteLogs, [restarted])] : [];
  // Each statement skips rows that differ from what the changes expect; the row counts show it.
  const inserting = write(client, sql.insert, insertParameters(inserts));
  const updating = write(client, sql.update, updateParameters(updates));
  const deltas = counts.values().map((delta) => JSON.stringify(delta));
  const adding: Promise<unknown>[] = [
    write(client, sql.insertLogs, asParameter(logs.values().flatMap(toLogRows))),
    write(client, sql.addCounts, asParameter(deltas)),
    addErrorCounts(client, errors),
  ];
  if (released.length > 0) adding.push(client.query(sql.release, [lease.streamCreated, released]));
  if (quarantined.length > 0) {
    const rows = JSON.stringify(quarantined.map(toQuarantineRow));
    adding.push(client.query(sql.quarantine, [lease.streamCreated, rows]));
  }
  const [[removed], inserted, updated] = await allPipelined(
    allPipelined(...removing),
    inserting,
    updating,
    allPipelined(...adding),
  );
  const isComplete =
    (removed?.rowCount ?? 0) === restarted.length && inserted === inserts.length && updated === updates.length;
  return { kind: isComplete ? 'committed' : 'outdated' };
}

const asParameter = (rows: Iterable<string>) => inChunks(rows).map((json) => [json]);

/** Runs a statement once for each chunk of parameters. @returns how many rows were written */
async function write(client: Queryable, statement: PreparedSql, chunks: Iterable<unknown[]>): Promise<number> {
  let written = 0;
  let running: Promise<{ rowCount: number }> | undefined;
  for (const parameters of chunks) {
    // This chunk was encoded while the server worked on the previous one.
    written += (await running)?.rowCount ?? 0;
    running = client.query(statement, parameters);
  }
  return written + ((await running)?.rowCount ?? 0);
}

const toQuarantineRow = (message: Quarantined) => ({
  sequence: message.sequence,
  stored_at: message.storedAt,
  subject: storable(message.subject),
  code: message.code,
  reason: storable(message.reason),
  store_code: message.storeCode,
  body: Buffer.from(message.data.buffer, message.data.byteOffset, message.data.byteLength).toString('base64'),
});

/** Text without NUL and lone surrogates, which Postgres refuses. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\uFFFD');
