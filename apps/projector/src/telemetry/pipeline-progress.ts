// Checkpoint and lag of the pipelines of this process; the lag is read from the stream when somebody reads the
// metrics, so that a pipeline that hangs shows it.
import { ALL_EVENTS_FILTER, optionalEventFields, QUARANTINE_CODES } from '@trellis/contracts';
import { countMetric, observeMetrics } from '@trellis/instrumentation';
import type { IgnoredBecause } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import type { PipelineName } from './project-batch.ts';

export interface PipelineProgress {
  readonly pipeline: PipelineName;
  /** Stream sequence up to which it is written; undefined while another process works it, or nobody. */
  position: number | undefined;
  /** Of the history only. */
  generation?: number | undefined;
}

const REASONS: Record<IgnoredBecause, true> = {
  'already-applied': true,
  'already-created': true,
  'foreign-owner': true,
  'already-ended': true,
  'not-accepted': true,
  'history-only': true,
};

/** Lets the gauges of a pipeline be read, and its counters show from the start. @returns what the pipeline keeps current */
export function observePipeline(pipeline: PipelineName, stream: JobStream): PipelineProgress {
  const progress: PipelineProgress = { pipeline, position: undefined };
  const labels = { pipeline };
  countMetric('trellis.projector.rebuilds', labels, 0);
  for (const code of QUARANTINE_CODES) countMetric('trellis.projector.quarantined', { pipeline, code }, 0);
  if (pipeline === 'current') {
    for (const reason of Object.keys(REASONS)) countMetric('trellis.projector.ignored', { pipeline, reason }, 0);
    for (const field of Object.keys(optionalEventFields)) {
      countMetric('trellis.projector.fields.dropped', { pipeline, field }, 0);
    }
  }
  observeMetrics(
    ['trellis.projector.owner', 'trellis.projector.position', 'trellis.projector.generation'],
    (observe) => {
      const { position, generation } = progress;
      observe('trellis.projector.owner', labels, position === undefined ? 0 : 1);
      if (position === undefined) return;
      observe('trellis.projector.position', labels, position);
      if (generation !== undefined) observe('trellis.projector.generation', labels, generation);
    },
  );
  observeMetrics(['trellis.projector.lag.events', 'trellis.projector.lag.time'], async (observe) => {
    if (progress.position === undefined) return;
    const { events, seconds } = await lagOf(stream, progress.position);
    observe('trellis.projector.lag.events', labels, events);
    observe('trellis.projector.lag.time', labels, seconds);
  });
  return progress;
}

async function lagOf(stream: JobStream, position: number): Promise<{ events: number; seconds: number }> {
  const { lastSequence } = await stream.info();
  if (lastSequence <= position) return { events: 0, seconds: 0 };
  const waiting = await stream.nextOf(ALL_EVENTS_FILTER, position + 1);
  // What lies after it was deleted meanwhile.
  if (!waiting) return { events: 0, seconds: 0 };
  const ageMs = Math.max(0, Date.now() - Date.parse(waiting.storedAt));
  return { events: lastSequence - position, seconds: ageMs / 1_000 };
}
