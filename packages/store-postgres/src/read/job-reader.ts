// Reads the projection for the admin RPCs: one job, pages, counts, checkpoints. Never writes. page-plan.ts chooses the
// statement for a filter.
import { BatchLoader } from '@trellis/async';
import type { JobState } from '@trellis/contracts';
import type { Queryable, Row } from '../connection/open-postgres.ts';
import { type Counted, type ErrorMatches, type FoundPage, findPage } from './find-page.ts';
import { type JobRow, jobsOfRows, type ReadJob } from './job-row.ts';
import {
  type Bodies,
  COUNT_LIMIT,
  errorMatches,
  jobsQuery,
  listedJobs,
  type PagePlan,
  pageOfIds,
  placesOf,
  shownJobs,
  shownPage,
} from './list-query.ts';
import { hasFixedPlan, type JobFilter, type PagePlace, type PageWanted } from './page-plan.ts';
import { type BoundQuery, readBound, readRows } from './read-query.ts';

export type { ReadJob } from './job-row.ts';
export { type Bodies, COUNT_LIMIT, LIST_PAYLOAD_BYTES, MAX_LOG_LINES } from './list-query.ts';

/** Most jobs whose payload and result one statement reads: each may be as large as a message. */
const WHOLE_JOBS_AT_ONCE = 64;
/** Most concurrent statements for single jobs; further requests share the next one. */
const WHOLE_JOBS_STATEMENTS = 2;

export interface PageOfIds extends Counted {
  /** In the order of the page. */
  places: PagePlace[];
  /** More jobs follow. */
  more: boolean;
}

export interface ShownPage extends Counted {
  /**
   * JSON of the jobs in the order of the page, separated by commas, without results, logs, and payloads of more than
   * `LIST_PAYLOAD_BYTES`.
   */
  jobs: string;
  /** Number of jobs on the page; jobs that were removed meanwhile count, but are not in `jobs`. */
  read: number;
  /** The last job of the page, when more jobs follow. */
  last: PagePlace | undefined;
}

export interface PipelinePosition {
  name: string;
  /** Every event up to this stream sequence is projected. */
  position: number;
  /** When the stream stored the event at the position, RFC 3339. */
  storedAt: string | undefined;
  /** Milliseconds since then, by the store's clock. */
  storedMsAgo: number | undefined;
  /** An owner holds the pipeline's lease. */
  owned: boolean;
}

/** The last pass of a janitor duty. Instants are RFC 3339 UTC. */
export interface JanitorDuty {
  duty: string;
  /** End of its last pass, successful or not. */
  finishedAt: string | undefined;
  /** End of the last successful pass. */
  succeededAt: string | undefined;
  /** Why the last pass failed. */
  error: string | undefined;
  /** Problems that an operator should know. */
  problems: { code: string; message: string }[];
  /** Milliseconds for which it has been due without a pass. */
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

interface ShownPageRow extends Row {
  count: number | null;
  read: number;
  jobs: string | null;
  last_id: string | null;
  last_created_at: string | null;
}

interface PlaceRow extends Row {
  count: number | null;
  /** Null where the page has no job. */
  id: string | null;
  created_at: string;
}

/** All methods throw `StoreUnavailable` when the store cannot answer now. */
export class JobReader {
  readonly #store: Queryable;
  readonly #shown = new BatchLoader<string, string>((ids) => this.#shownJobs(shownJobs(ids)), {
    maxConcurrent: WHOLE_JOBS_STATEMENTS,
    maxKeys: WHOLE_JOBS_AT_ONCE,
  });

  /** @param store opened by `openPostgres`; give it the session setting `statement_timeout` */
  constructor(store: Queryable) {
    this.#store = store;
  }

  /**
   * JSON of one job in the form of the RPCs, with payload, result and the newest `MAX_LOG_LINES` log lines; undefined when
   * there is no such job. Concurrent calls share statements.
   */
  shownJob(id: string): Promise<string | undefined> {
    return this.#shown.load(id);
  }

  /** One job as an object, with payload, result and its newest `MAX_LOG_LINES` log lines. */
  async getJob(id: string): Promise<ReadJob | undefined> {
    const [job] = await this.getJobs([id], { payload: true, result: true, logs: true });
    return job;
  }

  /** One job without result, log lines and a payload of more than `LIST_PAYLOAD_BYTES`. */
  async getJobHead(id: string): Promise<ReadJob | undefined> {
    const [job] = await this.getJobs([id], {});
    return job;
  }

  /**
   * Jobs in the order of `ids`, without those that are gone or not in `states`. An omitted payload is `{$omitted: bytes}`.
   */
  async getJobs(ids: readonly string[], bodies: Bodies, states?: readonly JobState[]): Promise<ReadJob[]> {
    const rows = await readBound<JobRow>(this.#store, jobsQuery(pageOfIds(ids), bodies, states));
    return jobsOfRows(rows);
  }

  /** The jobs of one page as JSON, in the short form of lists. */
  shownPage(filter: JobFilter, wanted: PageWanted): Promise<ShownPage> {
    return hasFixedPlan(filter, wanted) ? this.#shownInOneStatement(filter, wanted) : this.#shownByIds(filter, wanted);
  }

  async #shownInOneStatement(filter: JobFilter, wanted: PageWanted): Promise<ShownPage> {
    const empty: ShownPageRow = { count: 0, read: 0, jobs: null, last_id: null, last_created_at: null };
    const source = {
      read: async (plan: PagePlan) => (await readBound<ShownPageRow>(this.#store, shownPage(plan)))[0] ?? empty,
      errorMatches: (search: string) => this.#errorMatches(search),
      empty,
    };
    const found = await findPage(source, filter, oneMore(wanted));
    const { count, countAtLeast, last_id: id, last_created_at: createdAt } = found;
    const more = found.read > wanted.limit && id !== null && createdAt !== null;
    return {
      jobs: found.jobs ?? '',
      read: Math.min(found.read, wanted.limit),
      last: more ? { id, createdAt } : undefined,
      count,
      countAtLeast,
    };
  }

  /** Reads the ids first: their statement is planned each time, and planning the whole one takes longer than another round trip. */
  async #shownByIds(filter: JobFilter, wanted: PageWanted): Promise<ShownPage> {
    const { places, more, ...counted } = await this.page(filter, wanted);
    const ids = places.map(({ id }) => id);
    const shown = ids.length === 0 ? new Map<string, string>() : await this.#shownJobs(listedJobs(ids, filter.states));
    const jobs = ids.map((id) => shown.get(id)).filter((json) => json !== undefined);
    return { jobs: jobs.join(','), read: ids.length, last: more ? places.at(-1) : undefined, ...counted };
  }

  /** The places of the jobs of one page, whether more follow, and how many jobs match. */
  async page(filter: JobFilter, wanted: PageWanted): Promise<PageOfIds> {
    const source = {
      read: async (plan: PagePlan) => toPlaces(await readBound<PlaceRow>(this.#store, placesOf(plan))),
      errorMatches: (search: string) => this.#errorMatches(search),
      empty: toPlaces([]),
    };
    const { places, count, countAtLeast } = await findPage(source, filter, oneMore(wanted));
    return { places: places.slice(0, wanted.limit), more: places.length > wanted.limit, count, countAtLeast };
  }

  /** The hashes of the keys whose display key is `key`, among the newest jobs of a queue; empty when it has no such job. */
  async keyHashes(service: string, type: string, key: string): Promise<string[]> {
    const values = [service, type, key, COUNT_LIMIT];
    const rows = await readRows<{ key_hash: string }>(this.#store, 'key-hashes', values);
    return rows.map((row) => row.key_hash);
  }

  /** The checkpoints of the pipelines that write to this store. */
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

  /** The checkpoint of a pipeline; undefined when it has never run. */
  async position(pipeline: string): Promise<number | undefined> {
    return (await this.pipelines()).find(({ name }) => name === pipeline)?.position;
  }

  /** Number of quarantined messages, counted up to `COUNT_LIMIT`, and how many came within the last `recentMs` milliseconds. */
  async quarantineSize(recentMs: number): Promise<{ size: number; recent: number }> {
    const [row] = await readRows<{ size: number; recent: number }>(this.#store, 'quarantine-size', [
      COUNT_LIMIT,
      recentMs,
    ]);
    return row ?? { size: 0, recent: 0 };
  }

  /** Every duty that the janitor has ever started. */
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

  /** Resolves when the store answers. */
  async ping(): Promise<void> {
    await readRows(this.#store, 'clock', []);
  }

  async #errorMatches(search: string): Promise<ErrorMatches> {
    const [row] = await readBound<ErrorMatches & Row>(this.#store, errorMatches(search));
    return row ?? { texts: 0, jobs: 0 };
  }

  async #shownJobs(query: BoundQuery): Promise<Map<string, string>> {
    const rows = await readBound<{ id: string; json: string }>(this.#store, query);
    return new Map(rows.map(({ id, json }) => [id, json]));
  }
}

/** One job more than wanted: it shows that more follow. */
const oneMore = (wanted: PageWanted): PageWanted => ({ ...wanted, limit: wanted.limit + 1 });

function toPlaces(rows: readonly PlaceRow[]): FoundPage & { places: PagePlace[] } {
  const places = rows.flatMap(({ id, created_at }) => (id === null ? [] : [{ id, createdAt: created_at }]));
  return { count: rows[0]?.count ?? null, read: places.length, places };
}
