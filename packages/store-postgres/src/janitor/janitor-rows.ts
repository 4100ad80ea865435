// The janitor's reads of the projection, in bounded pages, and its only write: removing the rows of jobs whose events the stream
// no longer holds.
import type { Concurrency, JobState } from '@trellis/contracts';
import type { Postgres, Queryable, Row } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';
import { addErrorCounts, deltasOfRemoved } from '../projection/error-counts.ts';

const sql = {
  overdue: sqlFile('janitor/list-overdue'),
  before: sqlFile('janitor/list-rows-before'),
  byId: sqlFile('janitor/list-rows-by-id'),
  byAge: sqlFile('janitor/list-rows-by-age'),
  inState: sqlFile('janitor/list-rows-in-state'),
  states: sqlFile('janitor/list-states'),
  position: sqlFile('janitor/read-position'),
  lockPosition: sqlFile('janitor/lock-position'),
  deleteRows: sqlFile('janitor/delete-rows'),
  deleteLogs: sqlFile('projection/delete-job-logs'),
  addCounts: sqlFile('projection/add-job-counts'),
  workers: sqlFile('janitor/list-workers'),
  presence: sqlFile('janitor/read-presence'),
};

/** A job's row without payload and result. Instants are RFC 3339 UTC. */
export interface JanitorRow {
  id: string;
  service: string;
  type: string;
  state: JobState;
  createdAt: string;
  updatedAt: string;
  deadline: string | undefined;
  instanceId: string | undefined;
  concurrency: Concurrency | undefined;
  /** The stream had dropped the job's first events before they were projected: its origin is unknown. */
  headMissing: boolean;
  originAt: string;
  originSequence: number;
  firstSequence: number;
  lastSequence: number;
}

/** The checkpoint of the projection, and the stream that it belongs to. */
export interface ProjectedUpTo {
  position: number;
  /** Creation time of the stream, RFC 3339 UTC; undefined before the first batch. */
  streamCreated: string | undefined;
}

/** Where a page ends: the value that the page is sorted by, and the id. */
export interface RowPlace<Key extends string | number> {
  key: Key;
  id: string;
}

/** Deadlines that earlier passes handled: those before `before`, of rows not changed since `projectedUpTo`. */
export interface HandledDeadlines {
  before: string;
  projectedUpTo: number;
}

export interface LiveWorker {
  service: string;
  type: string;
  instanceId: string;
}

export class JanitorRows {
  readonly #postgres: Postgres;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  /** Open jobs whose deadline is before `now`, by deadline, without those in `handled`. */
  overdue(
    now: string,
    after: RowPlace<string> | undefined,
    limit: number,
    handled?: HandledDeadlines,
  ): Promise<JanitorRow[]> {
    return this.#list(sql.overdue, [now, after?.key, after?.id, limit, handled?.before, handled?.projectedUpTo]);
  }

  /** Jobs whose events all came before `sequence`, by first sequence. */
  rowsBefore(sequence: number, after: RowPlace<number> | undefined, limit: number): Promise<JanitorRow[]> {
    return this.#list(sql.before, [sequence, after?.key, after?.id, limit]);
  }

  /** All jobs, by id; `''` starts at the first. */
  rowsById(afterId: string, limit: number): Promise<JanitorRow[]> {
    return this.#list(sql.byId, [afterId, limit]);
  }

  /** Jobs created before an instant, oldest first. */
  rowsByAge(createdBefore: string, after: RowPlace<string> | undefined, limit: number): Promise<JanitorRow[]> {
    return this.#list(sql.byAge, [createdBefore, after?.key, after?.id, limit]);
  }

  /** Jobs in a state, created before an instant, oldest first. */
  rowsInState(
    state: Exclude<JobState, 'completed'>,
    createdBefore: string,
    after: RowPlace<string> | undefined,
    limit: number,
  ): Promise<JanitorRow[]> {
    return this.#list(sql.inState, [state, createdBefore, after?.key, after?.id, limit]);
  }

  /** The states of these jobs, by id; jobs without a row are left out. */
  async statesOf(ids: readonly string[]): Promise<Map<string, JobState>> {
    if (ids.length === 0) return new Map();
    const { rows } = await this.#postgres.query<{ id: string; state: JobState }>(sql.states, [ids]);
    return new Map(rows.map(({ id, state }) => [id, state]));
  }

  /** The projection's checkpoint; undefined when nothing was projected yet. */
  async projectedUpTo(): Promise<ProjectedUpTo | undefined> {
    const { rows } = await this.#postgres.query<PositionRow>(sql.position);
    return toProjectedUpTo(rows[0]);
  }

  /** Workers of these job types that are not gone. */
  async workersOf(types: readonly { service: string; type: string }[]): Promise<LiveWorker[]> {
    if (types.length === 0) return [];
    const wanted = new Map(types.map((one) => [`${one.service} ${one.type}`, one]));
    const services = [...wanted.values()].map(({ service }) => service);
    const names = [...wanted.values()].map(({ type }) => type);
    const { rows } = await this.#postgres.query<WorkerRow>(sql.workers, [services, names]);
    return rows.map((row) => ({ service: row.service, type: row.type, instanceId: row.instance_id }));
  }

  /** Whether a replica maintains worker presence now and stored it within the last `maxAgeMs` milliseconds. */
  async isPresenceKept(maxAgeMs = 60_000): Promise<boolean> {
    const { rows } = await this.#postgres.query<{ kept: boolean | null }>(sql.presence, [maxAgeMs]);
    return rows[0]?.kept === true;
  }

  /**
   * Removes rows with their log lines and counts in one transaction. Keeps a row that has changed since it was read or that
   * is beyond the checkpoint. Keeps all rows when the projection belongs to another stream than `streamCreated`.
   * @returns how many were removed
   */
  remove(rows: readonly Pick<JanitorRow, 'id' | 'lastSequence'>[], streamCreated: string): Promise<number> {
    return this.#postgres.transaction(async (client) => {
      // The projector locks this row first in each transaction: whoever holds the lock is the only writer.
      const locked = await client.query<PositionRow>(sql.lockPosition);
      const projected = toProjectedUpTo(locked.rows[0]);
      if (projected?.streamCreated !== streamCreated) return 0;
      const known = rows.filter((row) => row.lastSequence <= projected.position);
      if (known.length === 0) return 0;
      const values = [known.map(({ id }) => id), known.map(({ lastSequence }) => lastSequence)];
      const removed = (await client.query<RemovedRow>(sql.deleteRows, values)).rows;
      if (removed.length > 0) await removeLogsAndCounts(client, removed);
      return removed.length;
    });
  }

  async #list(statement: string, values: unknown[]): Promise<JanitorRow[]> {
    const { rows } = await this.#postgres.query<StoredRow>(statement, values);
    return rows.map(toJanitorRow);
  }
}

async function removeLogsAndCounts(client: Queryable, removed: RemovedRow[]): Promise<void> {
  await client.query(sql.deleteLogs, [removed.map(({ id }) => id)]);
  const counts = Map.groupBy(removed, ({ service, type, state }) => `${service} ${type} ${state}`);
  const deltas = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, [first, ...others]]) =>
      first ? [{ ...first, id: undefined, last_error: undefined, delta: -1 - others.length }] : [],
    );
  await client.query(sql.addCounts, [JSON.stringify(deltas)]);
  await addErrorCounts(client, deltasOfRemoved(removed.map((row) => row.last_error)));
}

interface StoredRow extends Row {
  id: string;
  service: string;
  type: string;
  state: JobState;
  created_at: string;
  updated_at: string;
  deadline: string | null;
  instance_id: string | null;
  concurrency: Concurrency | null;
  head_missing: boolean;
  origin_at: string;
  origin_sequence: number;
  first_sequence: number;
  last_sequence: number;
}

interface RemovedRow extends Row {
  id: string;
  service: string;
  type: string;
  state: JobState;
  last_error: string | null;
}

interface PositionRow extends Row {
  position: number;
  stream_created: string | null;
}

interface WorkerRow extends Row {
  service: string;
  type: string;
  instance_id: string;
}

const toProjectedUpTo = (row: PositionRow | undefined): ProjectedUpTo | undefined =>
  row && { position: row.position, streamCreated: row.stream_created ?? undefined };

const toJanitorRow = (row: StoredRow): JanitorRow => ({
  id: row.id,
  service: row.service,
  type: row.type,
  state: row.state,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  deadline: row.deadline ?? undefined,
  instanceId: row.instance_id ?? undefined,
  concurrency: row.concurrency ?? undefined,
  headMissing: row.head_missing,
  originAt: row.origin_at,
  originSequence: row.origin_sequence,
  firstSequence: row.first_sequence,
  lastSequence: row.last_sequence,
});
