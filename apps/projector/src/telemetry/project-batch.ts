// Telemetry of one batch of a pipeline: a span with links to its first jobs, its size, its duration.
// What is counted of the events in it is the pipelines' business.
import { SpanKind, trace } from '@opentelemetry/api';
import { ATTR, LINK, MESSAGING_SYSTEM, spanName } from '@trellis/contracts';
import { failSpan, linkTo, recordMetric } from '@trellis/instrumentation';

export type PipelineName = 'current' | 'history';

export interface ProjectedBatch {
  pipeline: PipelineName;
  /** Name of the stream, and of the durable consumer. */
  stream: string;
  consumer: string;
  messages: number;
  /** Stream sequences. */
  first: number;
  last: number;
  /** `traceparent` of the jobs in it; those after the first `MAX_LINKS` are ignored. */
  jobs: Iterable<string>;
}

/** A link for every job would cost more than the projection. */
export const MAX_LINKS = 64;

/**
 * Writes a batch. The span is not the active one: statements of the store get no spans of their own.
 * @throws what `write` throws
 */
export async function projectBatch<Written>(batch: ProjectedBatch, write: () => Promise<Written>): Promise<Written> {
  const { pipeline, messages } = batch;
  // Only deleted messages were passed.
  if (messages === 0) return write();
  const span = trace.getTracer('trellis.projector').startSpan(spanName('project', pipeline), {
    kind: SpanKind.CONSUMER,
    root: true,
    attributes: {
      [ATTR.messagingSystem]: MESSAGING_SYSTEM,
      [ATTR.messagingOperationName]: 'project',
      [ATTR.messagingOperationType]: 'process',
      [ATTR.messagingDestination]: batch.stream,
      [ATTR.messagingConsumerGroup]: batch.consumer,
      [ATTR.messagingBatchCount]: messages,
      [ATTR.pipeline]: pipeline,
      [ATTR.firstSequence]: batch.first,
      [ATTR.lastSequence]: batch.last,
    },
  });
  if (span.isRecording()) {
    const links = [...Iterator.from(batch.jobs).take(MAX_LINKS)].map((traceparent) => linkTo(traceparent, LINK.job));
    span.addLinks(links.filter((link) => link !== undefined));
  }
  const started = performance.now();
  try {
    const written = await write();
    recordMetric('trellis.projector.batch.events', { pipeline }, messages);
    recordMetric('trellis.projector.batch.duration', { pipeline }, (performance.now() - started) / 1_000);
    return written;
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}
