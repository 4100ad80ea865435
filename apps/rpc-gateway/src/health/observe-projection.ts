// Gauges read from Postgres: queue depths, the age of the oldest waiting job, the janitor's problems and delays.
import { cached, type Logger } from '@trellis/async';
import { JOB_STATES } from '@trellis/contracts';
import { observeMetrics } from '@trellis/instrumentation';
import type { JobReader, QueueReader } from '@trellis/store-postgres';

export interface ObservedReaders {
  queues: Pick<QueueReader, 'depths' | 'ages'>;
  janitor: Pick<JobReader, 'janitorDuties'>;
}

/** However often metrics are read, the store is asked once in this time. */
const MAX_AGE_MS = 5_000;

/** Needs the telemetry to be started. A store that does not answer gives no figures: old ones would pass for new ones. */
export function observeProjection(
  { queues, janitor }: ObservedReaders,
  { log, maxAgeMs = MAX_AGE_MS }: { log: Logger; maxAgeMs?: number },
): void {
  const rowsOf = <Row>(read: () => Promise<Row[]>) =>
    cached(
      () =>
        read().catch((error: unknown): Row[] => {
          log.debug({ error }, 'the store cannot be read for the metrics now');
          return [];
        }),
      maxAgeMs,
    );
  const depths = rowsOf(() => queues.depths());
  const ages = rowsOf(() => queues.ages());
  const duties = rowsOf(() => janitor.janitorDuties());
  observeMetrics(['trellis.queue.jobs'], async (observe) => {
    const rows = await depths();
    // States without a job are 0, so that the first job shows as a change.
    for (const { service, type } of rows) {
      for (const state of JOB_STATES) observe('trellis.queue.jobs', { service, type, state }, 0);
    }
    for (const { service, type, state, count } of rows) observe('trellis.queue.jobs', { service, type, state }, count);
  });
  observeMetrics(['trellis.queue.oldest.age'], async (observe) => {
    for (const { service, type, age } of await ages()) observe('trellis.queue.oldest.age', { service, type }, age);
  });
  observeMetrics(['trellis.janitor.problems', 'trellis.janitor.overdue'], async (observe) => {
    for (const { duty, problems, overdueMs } of await duties()) {
      observe('trellis.janitor.problems', { duty }, problems.length);
      observe('trellis.janitor.overdue', { duty }, Math.max(0, overdueMs) / 1_000);
    }
  });
}
