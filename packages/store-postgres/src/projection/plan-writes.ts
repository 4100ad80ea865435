// Plans the writes of changed jobs by statement; converts log lines to rows and rows of `jobs` to folded jobs.
import type { JobContext } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { Row } from '../connection/open-postgres.ts';
import { errorDeltas } from './error-counts.ts';
import { countDeltas, type JobChange, NOT_LOADED, type PlannedWrites } from './job-change.ts';

/** Groups changes by the statement that writes them; writes nothing. @param changes each job once */
export function planWrites(changes: readonly JobChange[]): PlannedWrites {
  const sorted = changes.toSorted((a, b) => (a.job.id < b.job.id ? -1 : 1));
  const isNew = ({ before, restarted }: JobChange) => before === undefined || restarted;
  return {
    restarted: sorted.filter(({ restarted }) => restarted).map(({ job }) => job.id),
    inserts: sorted.filter(isNew),
    updates: sorted.filter((change) => !isNew(change)),
    logs: sorted.filter(({ logs }) => logs.length > 0),
    counts: countDeltas(changes),
    errors: errorDeltas(changes),
  };
}

/** Limits of one statement. */
const CHUNK_ROWS = 2_000;
const CHUNK_LENGTH = 4_000_000;

/** Joins rows to JSON arrays of limited size; builds each when the iterator reaches it. */
export function* inChunks(rows: Iterable<string>): Generator<string> {
  let chunk: string[] = [];
  let length = 0;
  for (const row of rows) {
    chunk.push(row);
    length += row.length;
    if (chunk.length < CHUNK_ROWS && length < CHUNK_LENGTH) continue;
    yield `[${chunk.join(',')}]`;
    chunk = [];
    length = 0;
  }
  if (chunk.length > 0) yield `[${chunk.join(',')}]`;
}

/** The log lines of a change as rows for insert-job-logs. */
export function* toLogRows({ job, logs }: JobChange): Generator<string> {
  for (const { sequence, line, entry } of logs) {
    const { timestamp: logged_at, level, message } = entry;
    yield JSON.stringify({ job_id: job.id, sequence, line, logged_at, level, message });
  }
}

/** A row of load-jobs. */
export interface LoadedJobRow extends Row {
  id: string;
  service: string;
  type: string;
  state: FoldedJob['state'];
  tries: number;
  max_tries: number;
  request_id: string;
  trace_id: string;
  traceparent: string;
  tracestate: string | null;
  created_at: string;
  updated_at: string;
  started_at: string | null;
  completed_at: string | null;
  deadline: string | null;
  cancel_requested_at: string | null;
  last_error: string | null;
  instance_id: string | null;
  progress: FoldedJob['progress'] | null;
  concurrency: FoldedJob['concurrency'] | null;
  queue_policy: FoldedJob['queuePolicy'] | null;
  head_missing: boolean;
  handed_back: boolean;
  origin_sequence: number;
  origin_at: string;
  first_sequence: number;
  last_sequence: number;
}

/** The job of a row, without log lines; payload and result are `NOT_LOADED`. */
export function fromJobRow(row: LoadedJobRow): FoldedJob {
  const context: JobContext = { requestId: row.request_id, traceId: row.trace_id, traceparent: row.traceparent };
  if (row.tracestate !== null) context.tracestate = row.tracestate;
  return {
    id: row.id,
    service: row.service,
    type: row.type,
    state: row.state,
    context,
    payload: NOT_LOADED,
    result: NOT_LOADED,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    startedAt: row.started_at ?? undefined,
    completedAt: row.completed_at ?? undefined,
    tries: row.tries,
    maxTries: row.max_tries,
    lastError: row.last_error ?? undefined,
    deadline: row.deadline ?? undefined,
    progress: row.progress ?? undefined,
    logs: [],
    concurrency: row.concurrency ?? undefined,
    queuePolicy: row.queue_policy ?? undefined,
    cancelRequestedAt: row.cancel_requested_at ?? undefined,
    instanceId: row.instance_id ?? undefined,
    headMissing: row.head_missing,
    handedBack: row.handed_back,
    originSequence: row.origin_sequence,
    originAt: row.origin_at,
    firstSequence: row.first_sequence,
    lastSequence: row.last_sequence,
  };
}
