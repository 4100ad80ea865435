// What every duty works with.
import type { JobStream } from '@trellis/nats';
import type { JanitorRows } from '@trellis/store-postgres';
import type { LimitFunction } from 'p-limit';
import type { JanitorConfig } from './config.ts';
import type { KeyBuckets } from './stream/key-buckets.ts';
import type { WorkQueue } from './stream/work-queue.ts';

export interface JanitorPorts {
  stream: JobStream;
  rows: JanitorRows;
  work: WorkQueue;
  keys: KeyBuckets;
  /** Bounds what is asked of the stream at once, over all duties. */
  limit: LimitFunction;
  settings: JanitorConfig;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Counts by name; names given to `make` are there from the start, so that a zero is seen to be one. */
export class Tally {
  readonly counts: Record<string, number>;

  constructor(...names: string[]) {
    this.counts = Object.fromEntries(names.map((name) => [name, 0]));
  }

  add(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}
