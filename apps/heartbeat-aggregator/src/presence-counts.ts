// What the aggregator counts.
/** What came in and what was written, since the start. */
export interface PresenceCounts {
  heartbeats: number;
  malformed: number;
  mismatched: number;
  flushes: number;
  rows: number;
  forgotten: number;
}

export const newCounts = (): PresenceCounts => ({
  heartbeats: 0,
  malformed: 0,
  mismatched: 0,
  flushes: 0,
  rows: 0,
  forgotten: 0,
});
