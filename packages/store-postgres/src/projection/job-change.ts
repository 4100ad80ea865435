// What a batch of events changes, in terms of jobs: the port between the projector and its store.
import type { JobState, LogEntry, Quarantined } from '@trellis/contracts';
import type { FoldedJob } from '@trellis/lifecycle';
import type { ErrorDeltas } from './error-deltas.ts';

/** Stands for a body (payload, result) that was not read from the store because no event looks into it. */
export const NOT_LOADED = Symbol('not loaded');

interface LogLine {
  /** Stream sequence of the `logged` event. */
  sequence: number;
  /** Place within that event, from 0. */
  line: number;
  entry: LogEntry;
}

export interface JobChange {
  /** The job as the store has it; undefined when it has no row. */
  before: FoldedJob | undefined;
  job: FoldedJob;
  /** The job begins again under an id that had a row: nothing of the old one stays, its log lines neither. */
  restarted: boolean;
  /** Log lines to add. */
  logs: LogLine[];
}

export interface BatchCommit {
  /** Last sequence that was passed before this batch. */
  from: number;
  /** Last sequence that this batch passes. */
  to: number;
  /** When the stream stored the message at `to`; undefined when there is none any more. */
  toStoredAt: string | undefined;
  /** From `planWrites`. */
  changes: PlannedWrites;
  quarantined: Quarantined[];
  /** Sequences that leave the quarantine, because they are projected now. */
  released: number[];
}

/** Changes of jobs by the statement that writes them; each sorted by id. */
export interface PlannedWrites {
  /** Ids of jobs that begin again. */
  restarted: string[];
  inserts: JobChange[];
  updates: JobChange[];
  /** Those with log lines to add. */
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

/** By how much the numbers of jobs per service, type and state change; sorted, without zeros. */
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
