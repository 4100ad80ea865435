// The changes that a batch of events makes to jobs: the port between the projector and its store.
import type { JobState, LogEntry, Quarantined } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { ErrorDeltas } from './error-deltas.ts';

/** Stands for a payload or result that was not read from the store, because the fold only passes it on. */
export const NOT_LOADED = Symbol('not loaded');

interface LogLine {
  /** Stream sequence of the `logged` event. */
  sequence: number;
  /** Index within that event, from 0. */
  line: number;
  entry: LogEntry;
}

export interface JobChange {
  /** The job as stored; undefined when it has no row. */
  before: FoldedJob | undefined;
  job: FoldedJob;
  /** A new job under an id that had a row: the old row and its log lines are deleted. */
  restarted: boolean;
  /** Log lines to add. */
  logs: LogLine[];
}

export interface BatchCommit {
  /** Checkpoint before this batch: last sequence projected. */
  from: number;
  /** Checkpoint after this batch. */
  to: number;
  /** When the stream stored the message at `to`; undefined when the stream no longer has it. */
  toStoredAt: string | undefined;
  /** From `planWrites`. */
  changes: PlannedWrites;
  quarantined: Quarantined[];
  /** Sequences to remove from the quarantine because they are projected now. */
  released: number[];
}

/** Changes of jobs by the statement that writes them, each list sorted by job id. */
export interface PlannedWrites {
  /** Ids of restarted jobs. */
  restarted: string[];
  inserts: JobChange[];
  updates: JobChange[];
  /** Changes with log lines to add. */
  logs: JobChange[];
  counts: CountDelta[];
  errors: ErrorDeltas;
}

export interface CountDelta {
  service: string;
  type: string;
  state: JobState;
  delta: number;
}

/** How the number of jobs of each service, type and state changes; sorted, without zeros. */
export function countDeltas(changes: readonly JobChange[]): CountDelta[] {
  const deltas = new Map<string, CountDelta>();
  const add = ({ service, type, state }: FoldedJob, delta: number) => {
    const key = `${service} ${type} ${state}`;
    const found = deltas.get(key);
    if (found) found.delta += delta;
    else deltas.set(key, { service, type, state, delta });
  };
  for (const { before, job } of changes) {
    if (before) add(before, -1);
    add(job, 1);
  }
  return [...deltas]
    .filter(([, { delta }]) => delta !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, delta]) => delta);
}
