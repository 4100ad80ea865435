// What Postgres knows of the system as a whole, as gauges: how deep the queues are, for how long their jobs wait, what the janitor
// found and whether it works at all.
import { JOB_STATES } from '@trellis/contracts';
import { observeMetrics } from '@trellis/instrumentation';
import type { JobReader, QueueReader } from '@trellis/store-postgres';
import { type KeepOptions, keptAnswer } from '../reads/kept-answer.ts';

export interface ObservedReaders {
  queues: Pick<QueueReader, 'depths' | 'ages'>;
  janitor: Pick<JobReader, 'janitorDuties'>;
}

/** Needs the telemetry to be started. */
export function observeProjection({ queues, janitor }: ObservedReaders, options: KeepOptions): void {
  const depths = keptAnswer(() => queues.depths(), options);
  const ages = keptAnswer(() => queues.ages(), options);
  const duties = keptAnswer(() => janitor.janitorDuties(), options);
  observeMetrics(['trellis.queue.jobs'], async (observe) => {
    const rows = await depths();
    // A state that no job was ever in is 0 as well, so that its first job is seen as a change.
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
