// Reads what the queues look like as a whole, for metrics. Single jobs are job-reader.ts.
import type { JobState } from '@trellis/contracts';
import type { Queryable, Row } from '../connection/open-postgres.ts';
import { readRows } from './read-query.ts';

/** Of so many pending jobs of a queue, those created first, the longest waiting is looked for. */
const LOOKED_AT = 100;

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

/** Everything throws `StoreUnavailable` when the store cannot answer now. */
export class QueueReader {
  readonly #store: Queryable;

  /** @param store opened by `openPostgres` */
  constructor(store: Queryable) {
    this.#store = store;
  }

  /** How many jobs each queue has in each state that it ever had one in. */
  depths(): Promise<QueueDepth[]> {
    return readRows<QueueDepth>(this.#store, 'queue-depths', []);
  }

  /** For how long the longest waiting pending job of each queue has waited. */
  async ages(): Promise<QueueAge[]> {
    const rows = await readRows<QueueAge>(this.#store, 'queue-ages', [LOOKED_AT]);
    // The clocks of workers and the server's may differ.
    return rows.map((row) => ({ ...row, age: Math.max(0, row.age) }));
  }
}
