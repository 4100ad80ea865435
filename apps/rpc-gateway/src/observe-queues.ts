// The depth of the queues and how long their jobs wait, as gauges: read from the projection while somebody reads the metrics,
// and at most once in a few seconds however many do.
import { type Logger, observeMetrics } from '@trellis/runtime';
import type { QueueReader } from '@trellis/store-postgres';

const KEEP_MS = 5_000;

/** Needs the telemetry to be started. */
export function observeQueues(reader: Pick<QueueReader, 'depths' | 'ages'>, log: Logger, keepMs = KEEP_MS): void {
  const depths = kept(keepMs, () => reader.depths());
  const ages = kept(keepMs, () => reader.ages());
  observeMetrics(['trellis.queue.jobs'], async (observe) => {
    for (const { service, type, state, count } of await quietly(depths, log)) {
      observe('trellis.queue.jobs', { service, type, state }, count);
    }
  });
  observeMetrics(['trellis.queue.oldest.age'], async (observe) => {
    for (const { service, type, age } of await quietly(ages, log)) {
      observe('trellis.queue.oldest.age', { service, type }, age);
    }
  });
}

/** The last answer while it is fresh; who asks meanwhile shares one question. */
function kept<Answer>(keepMs: number, ask: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  let askedAt = 0;
  return () => {
    if (answer === undefined || performance.now() - askedAt >= keepMs) {
      askedAt = performance.now();
      answer = ask();
    }
    return answer;
  };
}

/** A store that does not answer leaves the gauges out: old figures would be taken for new ones. */
async function quietly<Row>(read: () => Promise<Row[]>, log: Logger): Promise<Row[]> {
  try {
    return await read();
  } catch (error) {
    log.debug({ error }, 'the queues cannot be read for the metrics now');
    return [];
  }
}
