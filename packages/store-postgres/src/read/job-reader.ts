// Reads the projection for the admin RPCs: one job, pages, counts, how far the pipelines are. Never writes.
// Which statement fits a filter is page-plan.ts; what a row means is job-row.ts.
import type { JobState, LogEntry } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { Queryable, Row } from '../open-postgres.ts';
import { type JobRow, jobOfRow, type LogRow, logOfRow } from './job-row.ts';
import {
  countStatement,
  detailedPageStatement,
  isDetailed,
  type JobFilter,
  type PagePlace,
  type PageWanted,
  pageStatement,
} from './page-plan.ts';
import { readRows } from './read-query.ts';

/** Log lines shown of one job: the newest. */
export const MAX_LOG_LINES = 1_000;
/** Bytes up to which lists show a payload. */
export const LIST_PAYLOAD_BYTES = 4_096;
/** Characters of the last error that lists show. */
export const LIST_ERROR_CHARACTERS = 4_096;
/** How far filters are counted that the counters do not know. */
export const COUNT_LIMIT = 10_000;
const WHOLE_TEXT = 2_147_483_647;

/** Which bodies to read; left out, a list has payloads up to `LIST_PAYLOAD_BYTES` and nothing else. */
export interface Bodies {
  payload?: boolean;
  result?: boolean;
  logs?: boolean;
}

export interface PageOfIds {
  /** In the order of the page. */
  places: PagePlace[];
  /** More jobs follow. */
  more: boolean;
  /** How many jobs match in all: exact for service, type and states, else counted up to `COUNT_LIMIT`. */
  count: number;
  /** There are more than `count`. */
  countAtLeast: boolean;
}

export interface PipelinePosition {
  name: string;
  /** Every event up to this stream sequence is projected. */
  position: number;
  /** When the stream stored the event at the position, RFC 3339. */
  storedAt: string | undefined;
  /** How long ago that is, in milliseconds by the store's clock. */
  storedMsAgo: number | undefined;
  /** Somebody holds the pipeline's lease. */
  owned: boolean;
}

/** What a duty of the janitor did last. Instants are RFC 3339 UTC. */
export interface JanitorDuty {
  duty: string;
  /** End of its last pass, well or not. */
  finishedAt: string | undefined;
  /** End of the last pass that ended well. */
  succeededAt: string | undefined;
  /** Why the last pass failed. */
  error: string | undefined;
  /** What an operator should know. */
  problems: { code: string; message: string }[];
  /** For how long it has been due with nobody working on it, in milliseconds. */
  overdueMs: number;
}

interface PipelineRow extends Row {
  name: string;
  position: number;
  position_stored_at: string | null;
  owned: boolean;
  stored_ms_ago: number | null;
}

interface DutyRow extends Row {
  duty: string;
  finished_at: string | null;
  succeeded_at: string | null;
  error: string | null;
  problems: JanitorDuty['problems'];
  overdue_ms: number;
}

interface PlaceRow extends Row {
  id: string;
  created_at: string;
}

/** Everything throws `StoreUnavailable` when the store cannot answer now. */
export class JobReader {
  readonly #store: Queryable;

  /** @param store opened by `openPostgres`; give it the session setting `statement_timeout` */
  constructor(store: Queryable) {
    this.#store = store;
  }

  /** One job with its bodies and its newest log lines (`MAX_LOG_LINES`), or undefined. */
  async getJob(id: string): Promise<FoldedJob | undefined> {
    const [job] = await this.getJobs([id], { payload: true, result: true, logs: true });
    return job;
  }

  /** One job for a decision: without its result, its logs and a payload over `LIST_PAYLOAD_BYTES`. */
  async getJobHead(id: string): Promise<FoldedJob | undefined> {
    const [job] = await this.getJobs([id], {});
    return job;
  }

  /**
   * Jobs in the order of `ids`; those that are gone, or that have left `states`, are left out. An omitted payload is
   * `{$omitted: bytes}`.
   */
  async getJobs(ids: readonly string[], bodies: Bodies, states?: readonly JobState[]): Promise<FoldedJob[]> {
    const { payload = false, result = false, logs = false } = bodies;
    const [rows, lines] = await Promise.all([
      readRows<JobRow>(this.#store, 'jobs', [
        ids,
        states === undefined || states.length === 0 ? undefined : states,
        payload,
        result,
        LIST_PAYLOAD_BYTES,
        payload ? WHOLE_TEXT : LIST_ERROR_CHARACTERS,
      ]),
      logs ? this.#logs(ids) : undefined,
    ]);
    return rows.map((row) => jobOfRow(row, lines?.get(row.id)));
  }

  /** Where the jobs of one page are, whether more follow, and how many match. */
  async page(filter: JobFilter, wanted: PageWanted): Promise<PageOfIds> {
    const { limit } = wanted;
    // One more than asked for tells whether more follow.
    const page = { ...wanted, limit: limit + 1 };
    const { rows, count } = await (isDetailed(filter)
      ? this.#detailedPage(filter, page)
      : this.#plainPage(filter, page));
    const countAtLeast = isDetailed(filter) && count > COUNT_LIMIT;
    return {
      places: rows.slice(0, limit).map((row) => ({ id: row.id, createdAt: row.created_at })),
      more: rows.length > limit,
      count: countAtLeast ? COUNT_LIMIT : count,
      countAtLeast,
    };
  }

  async #plainPage(filter: JobFilter, page: PageWanted): Promise<{ rows: PlaceRow[]; count: number }> {
    const counted = countStatement(filter);
    const [rows, [total]] = await Promise.all([
      this.#walk(filter, page),
      readRows<{ count: number }>(this.#store, counted.query, counted.values),
    ]);
    return { rows, count: total?.count ?? 0 };
  }

  async #detailedPage(filter: JobFilter, page: PageWanted): Promise<{ rows: PlaceRow[]; count: number }> {
    const { query, values } = detailedPageStatement(filter, page, COUNT_LIMIT + 1);
    const found = await readRows<PlaceRow & { count: number }>(this.#store, query, values);
    const count = found[0]?.count ?? 0;
    const rows = found.filter((row) => row.id !== null);
    // The page may lie beyond the newest that were looked at.
    const whole = count <= COUNT_LIMIT || (page.order === 'newest' && rows.length === page.limit);
    return { rows: whole ? rows : await this.#walk(filter, page), count };
  }

  #walk(filter: JobFilter, page: PageWanted): Promise<PlaceRow[]> {
    const { query, values } = pageStatement(filter, page);
    return readRows<PlaceRow>(this.#store, query, values);
  }

  /** The hashes of the keys that are shown as `key` by the newest jobs of a queue; empty when it has no such job. */
  async keyHashes(service: string, type: string, key: string): Promise<string[]> {
    const values = [service, type, key, COUNT_LIMIT];
    const rows = await readRows<{ key_hash: string }>(this.#store, 'key-hashes', values);
    return rows.map((row) => row.key_hash);
  }

  /** How far the pipelines that write into this store have come. */
  async pipelines(): Promise<PipelinePosition[]> {
    const rows = await readRows<PipelineRow>(this.#store, 'pipelines', []);
    return rows.map((row) => ({
      name: row.name,
      position: row.position,
      storedAt: row.position_stored_at ?? undefined,
      storedMsAgo: row.stored_ms_ago ?? undefined,
      owned: row.owned,
    }));
  }

  /** How far the pipeline has come; undefined when it has never run. */
  async position(pipeline: string): Promise<number | undefined> {
    return (await this.pipelines()).find(({ name }) => name === pipeline)?.position;
  }

  /** Messages in quarantine (counted up to `COUNT_LIMIT`), and how many of them came within the last `recentMs`. */
  async quarantineSize(recentMs: number): Promise<{ size: number; recent: number }> {
    const [row] = await readRows<{ size: number; recent: number }>(this.#store, 'quarantine-size', [
      COUNT_LIMIT,
      recentMs,
    ]);
    return row ?? { size: 0, recent: 0 };
  }

  /** Every duty that the janitor has ever begun. */
  async janitorDuties(): Promise<JanitorDuty[]> {
    const rows = await readRows<DutyRow>(this.#store, 'janitor-duties', []);
    return rows.map((row) => ({
      duty: row.duty,
      finishedAt: row.finished_at ?? undefined,
      succeededAt: row.succeeded_at ?? undefined,
      error: row.error ?? undefined,
      problems: row.problems,
      overdueMs: row.overdue_ms,
    }));
  }

  /** Asks the store for nothing but an answer. */
  async ping(): Promise<void> {
    await readRows(this.#store, 'clock', []);
  }

  async #logs(ids: readonly string[]): Promise<Map<string, LogEntry[]>> {
    const rows = await readRows<LogRow>(this.#store, 'job-logs', [ids, MAX_LOG_LINES]);
    const lines = new Map<string, LogEntry[]>();
    for (const row of rows) {
      const of = lines.get(row.job_id);
      if (of) of.push(logOfRow(row));
      else lines.set(row.job_id, [logOfRow(row)]);
    }
    return lines;
  }
}
