// Presence as metrics: counts of heartbeats and rows, and the workers known to the replica that keeps presence. A single
// heartbeat costs nothing: the sums are reported with each write.
import { countMetric, observeMetrics } from '@trellis/instrumentation';
import type { PresenceBook } from './presence-book.ts';
import type { PresenceCounts } from './presence-counts.ts';

const OUTCOMES = [
  ['accepted', 'heartbeats'],
  ['malformed', 'malformed'],
  ['mismatched', 'mismatched'],
] as const;

export class PresenceMetrics {
  /** What this replica knows of the workers; undefined while another one keeps presence. */
  book: Pick<PresenceBook, 'countWorkers'> | undefined;
  #told: Readonly<PresenceCounts> | undefined;

  /** Needs the telemetry to be started. */
  constructor() {
    for (const [outcome] of OUTCOMES) countMetric('trellis.presence.heartbeats', { outcome }, 0);
    countMetric('trellis.presence.writes', {}, 0);
    observeMetrics(['trellis.presence.workers'], (observe) => {
      for (const [service, counts] of this.book?.countWorkers() ?? []) {
        for (const [status, workers] of Object.entries(counts)) {
          observe('trellis.presence.workers', { service, status }, workers);
        }
      }
    });
  }

  /** Adds what was counted since the last call. */
  tell(counts: PresenceCounts): void {
    const told = this.#told;
    this.#told = { ...counts };
    for (const [outcome, name] of OUTCOMES) {
      countMetric('trellis.presence.heartbeats', { outcome }, counts[name] - (told?.[name] ?? 0));
    }
    countMetric('trellis.presence.writes', {}, counts.rows - (told?.rows ?? 0));
  }
}
