// The columns that the read statements select in addition to those that the projector loads: payload, result, log lines.
import type { LogEntry } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { readTimestamp } from '../connection/open-postgres.ts';
import { fromJobRow, type LoadedJobRow } from '../projection/plan-writes.ts';

/** A row of a page; `id` is null when there is no job. */
export interface JobRow extends LoadedJobRow {
  /** Number of matching jobs; null when the statement does not count them. */
  count: number | null;
  payload: unknown;
  result: unknown;
  /** Distinguishes the result JSON null from no result. */
  has_result: boolean;
  worker_lost: boolean;
  logs: [loggedAt: string, level: LogEntry['level'], message: string][] | null;
}

/** A folded job with what only the store knows. */
export interface ReadJob extends FoldedJob {
  /** Active, but its worker is known to be gone. */
  workerLost?: true;
}

/** The jobs of rows, with the payloads, results and log lines that the rows have. */
export function jobsOfRows(rows: readonly JobRow[]): ReadJob[] {
  const jobs: ReadJob[] = [];
  for (const row of rows) {
    if (row.id === null) continue;
    const job: ReadJob = fromJobRow(row);
    job.payload = row.payload;
    job.result = row.has_result ? row.result : undefined;
    if (row.logs) job.logs = row.logs.map(([at, level, message]) => ({ timestamp: readTimestamp(at), level, message }));
    if (row.worker_lost) job.workerLost = true;
    jobs.push(job);
  }
  return jobs;
}
