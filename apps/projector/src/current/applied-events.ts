// How many events of each service, type and kind changed a job in a batch: three looks into maps an event, one use of the
// instrument for each kind in the batch.
import type { LifecycleEvent } from '@trellis/contracts';
import { countMetric } from '@trellis/instrumentation';

export class AppliedEvents {
  readonly #counts = new Map<string, Map<string, Map<string, number>>>();

  add({ service, jobType, eventType }: LifecycleEvent): void {
    const ofType = within(within(this.#counts, service), jobType);
    ofType.set(eventType, (ofType.get(eventType) ?? 0) + 1);
  }

  /** Counts them in `trellis.job.events`. */
  count(): void {
    for (const [service, ofService] of this.#counts) {
      for (const [type, ofType] of ofService) {
        for (const [event_type, times] of ofType) {
          countMetric('trellis.job.events', { service, type, event_type }, times);
        }
      }
    }
  }
}

function within<Inner>(map: Map<string, Map<string, Inner>>, key: string): Map<string, Inner> {
  const known = map.get(key);
  if (known) return known;
  const inner = new Map<string, Inner>();
  map.set(key, inner);
  return inner;
}
