// What the read statements select of a job beside what the projector loads: its bodies and its log lines.
import type { LogEntry } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import { fromJobRow, type LoadedJobRow } from '../job-row.ts';
import type { Row } from '../open-postgres.ts';

export interface JobRow extends LoadedJobRow {
  payload: unknown;
  result: unknown;
  /** Tells a result that is JSON null from none. */
  has_result: boolean;
}

export interface LogRow extends Row {
  job_id: string;
  logged_at: string;
  level: LogEntry['level'];
  message: string;
}

/** The job of a row with the bodies that the row has. */
export const jobOfRow = (row: JobRow, logs: LogEntry[] = []): FoldedJob => ({
  ...fromJobRow(row),
  payload: row.payload,
  result: row.has_result ? row.result : undefined,
  logs,
});

export const logOfRow = (row: LogRow): LogEntry => ({
  timestamp: row.logged_at,
  level: row.level,
  message: row.message,
});
