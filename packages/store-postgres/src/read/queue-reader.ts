// Reads the depth and age of queues, for metrics. job-reader.ts reads jobs.
import type { JobState } from '@trellis/contracts';
import type { Queryable, Row } from '../connection/open-postgres.ts';
import { readRows } from './read-query.ts';

/** Pending jobs of a queue, created first, among which the longest waiting one is found. */
const MAX_EXAMINED = 100;

export interface QueueDepth extends Row {
  service: string;
  type: string;
  state: JobState;
  count: number;
}

export interface QueueAge extends Row {
  service: string;
  type: string;
  /** Seconds; 0 when no job waits. */
  age: number;
}

/** All methods throw `StoreUnavailable` when the store cannot answer now. */
export class QueueReader {
  readonly #store: Queryable;

  /** @param store opened by `openPostgres` */
  constructor(store: Queryable) {
    this.#store = store;
  }

  /** The number of jobs of each queue in each state that it ever had a job in. */
  depths(): Promise<QueueDepth[]> {
    return readRows<QueueDepth>(this.#store, 'queue-depths', []);
  }

  /** How long the longest waiting pending job of each queue has waited. */
  async ages(): Promise<QueueAge[]> {
    const rows = await readRows<QueueAge>(this.#store, 'queue-ages', [MAX_EXAMINED]);
    // The clock of a worker may be ahead of the server's.
    return rows.map((row) => ({ ...row, age: Math.max(0, row.age) }));
  }
}
