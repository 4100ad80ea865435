// What a pipeline has done since the process started, for metrics and tests.
import type { QuarantineCode } from '@trellis/contracts';
import type { IgnoredBecause } from '@trellis/lifecycle';

export interface CurrentCounters {
  /** Times that this process took the pipeline over. */
  starts: number;
  /** Those after which the projection was rebuilt from the start of the stream. */
  rebuilds: number;
  batches: number;
  events: number;
  /** Rows written. */
  changes: number;
  /** Events that changed nothing, by reason. */
  ignored: Partial<Record<IgnoredBecause, number>>;
  quarantined: Partial<Record<QuarantineCode, number>>;
  /** Messages that left the quarantine. */
  released: number;
  /** Odd optional fields that were left out of events, by field. */
  droppedFields: Record<string, number>;
}

export const newCounters = (): CurrentCounters => ({
  starts: 0,
  rebuilds: 0,
  batches: 0,
  events: 0,
  changes: 0,
  ignored: {},
  quarantined: {},
  released: 0,
  droppedFields: {},
});

export function count<Key extends string>(counts: Partial<Record<Key, number>>, key: Key, by = 1): void {
  counts[key] = (counts[key] ?? 0) + by;
}
