// Opens the spans of an attempt: the wait before it and the attempt itself. Within `joinTraceMs` after the creation of
// the job both belong to the creation's trace; later the attempt is the root of a trace of its own.
import { type Attributes, isSpanContextValid, type Link, ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import { ATTR, LINK, spanName, workConsumerName, workSubject } from '@trellis/contracts';
import { contextOf, linkTo } from '@trellis/instrumentation';
import type { Delivery } from '../delivery/delivery.ts';
import type { WorkerScope } from '../worker/worker-scope.ts';
import type { AttemptHistory } from './attempt-history.ts';
import { AttemptSpan } from './attempt-span.ts';
import { jobAttributes, jobTracer } from './job-tracer.ts';

export interface Opened {
  span: AttemptSpan;
  /** `started` is stored. What is never called leaves no spans behind. */
  begun(): void;
}

/** The span of an attempt whose `started` is about to be published; undefined without an OpenTelemetry SDK. */
export function openAttempt(
  scope: WorkerScope,
  { work, key }: Delivery,
  { attempt, maxTries, history }: { attempt: number; maxTries: number; history: AttemptHistory },
): Opened | undefined {
  const tracer = jobTracer();
  if (tracer === undefined) return undefined;
  const { service, jobType, instanceId, joinTraceMs } = scope;
  const { traceparent, tracestate, requestId } = work.event.context;
  const now = Date.now();
  const joins = history.createdAt !== undefined && now - history.createdAt <= joinTraceMs;
  const creation = joins ? contextOf(traceparent, tracestate) : ROOT_CONTEXT;
  const links = [
    linkTo(traceparent, LINK.creation),
    history.previous === undefined ? undefined : linkTo(history.previous, LINK.previousAttempt),
  ].filter((link): link is Link => link !== undefined);
  const destination = workSubject(service, jobType);
  const facts: Attributes = {
    [ATTR.jobAttempt]: attempt,
    [ATTR.jobMaxTries]: maxTries,
    [ATTR.requestId]: requestId,
    [ATTR.instanceId]: instanceId,
    [ATTR.messagingConsumerGroup]: workConsumerName(service, jobType),
    [ATTR.messagingConversationId]: requestId,
    ...(key ? { [ATTR.jobKey]: key.key } : {}),
  };
  const job = { service, jobType, jobId: work.jobId };
  const opened = tracer.startSpan(
    spanName('process', destination),
    {
      kind: SpanKind.CONSUMER,
      root: !joins,
      links,
      startTime: new Date(now),
      attributes: {
        ...jobAttributes(job, 'process'),
        [ATTR.messagingOperationType]: 'process',
        ...facts,
        ...(history.previousLost ? { [ATTR.jobPreviousAttemptLost]: true } : {}),
      },
    },
    creation,
  );
  if (!isSpanContextValid(opened.spanContext())) return undefined;
  const span = new AttemptSpan(opened);
  const begun = () => {
    // A root would be a trace with nothing but a wait in it.
    const parent = joins ? creation : span.context;
    const wait = tracer.startSpan(
      spanName('wait', destination),
      // Clocks differ between hosts.
      {
        startTime: new Date(Math.min(history.dueAt, now)),
        attributes: { ...jobAttributes(job, 'wait'), ...facts },
        links,
      },
      parent,
    );
    wait.end(new Date(now));
  };
  return { span, begun };
}
