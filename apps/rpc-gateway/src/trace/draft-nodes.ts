// From spans that arrived, and from what a job's events tell of those that did not, to the nodes of a picture. Pure.
import { ATTR, spanName, workSubject } from '@trellis/contracts';
import type { Span } from '@trellis/store-traces';
import type { JobStory, SpanIds, StoryAttempt } from './job-story.ts';
import type { DraftNode } from './trace-graph.ts';

const MAX_ATTRIBUTES = 40;
const MAX_TEXT = 500;

export function nodeOfSpan(span: Span): DraftNode {
  const instanceId = span.attributes[ATTR.instanceId] ?? span.resource[ATTR.instanceId];
  const attributes = Object.entries(span.attributes)
    .slice(0, MAX_ATTRIBUTES)
    .map(([key, value]) => [key, shorten(value)]);
  const jobId = span.attributes[ATTR.jobId];
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    namedParent: span.parentSpanId || undefined,
    name: shorten(span.name),
    kind: span.kind,
    service: span.service,
    startMs: millis(span.startNs),
    durationMs: millis(span.durationNs),
    status: span.status,
    ...(span.statusMessage === '' ? {} : { statusMessage: shorten(span.statusMessage) }),
    attributes: {
      ...Object.fromEntries(attributes),
      ...(instanceId === undefined ? {} : { [ATTR.instanceId]: instanceId }),
    },
    ...(jobId === undefined ? {} : { jobId }),
  };
}

/** The creation of a job whose span is not there. @param known it is certain that no span arrived */
export const nodeOfCreation = (story: JobStory, { traceId, spanId }: SpanIds, known: boolean): DraftNode => ({
  ...shared(story, 'create'),
  traceId,
  spanId,
  namedParent: undefined,
  kind: 'producer',
  startMs: story.createdMs,
  durationMs: 0,
  status: 'unset',
  ...(known ? { missing: true } : {}),
});

/** An attempt whose span is not there. @param known it is certain that no span arrived */
export function nodeOfAttempt(story: JobStory, attempt: StoryAttempt, creation: string, known: boolean): DraftNode {
  const { traceId, spanId, number, startMs, endMs, outcome, error, instanceId } = attempt;
  const node = shared(story, 'process');
  const failure = outcome === 'lost' ? 'nothing was heard of its worker any more' : error;
  return {
    ...node,
    traceId,
    spanId,
    namedParent: creation,
    kind: 'consumer',
    startMs,
    durationMs: endMs - startMs,
    status: failure === undefined ? 'unset' : 'error',
    ...(failure === undefined ? {} : { statusMessage: shorten(failure) }),
    attributes: {
      ...node.attributes,
      [ATTR.jobAttempt]: String(number),
      ...(outcome === undefined || outcome === 'lost' ? {} : { [ATTR.jobState]: outcome }),
      ...(instanceId === undefined ? {} : { [ATTR.instanceId]: instanceId }),
    },
    ...(outcome === undefined ? { running: true } : known ? { missing: true } : {}),
  };
}

/** What several spans name as their parent and what never arrived itself. */
export const nodeOfLostParent = (spanId: string, children: readonly DraftNode[]): DraftNode => {
  const startMs = Math.min(...children.map((child) => child.startMs));
  const endMs = Math.max(...children.map((child) => child.startMs + child.durationMs));
  return {
    traceId: children[0]?.traceId ?? '',
    spanId,
    namedParent: undefined,
    name: 'request',
    kind: 'internal',
    service: children[0]?.service ?? '',
    startMs,
    durationMs: endMs - startMs,
    status: 'unset',
    attributes: {},
    missing: true,
  };
};

function shared(story: JobStory, operation: 'create' | 'process') {
  return {
    name: spanName(operation, workSubject(story.service, story.type)),
    service: story.service,
    jobId: story.id,
    attributes: {
      [ATTR.jobId]: story.id,
      [ATTR.jobService]: story.service,
      [ATTR.jobType]: story.type,
      [ATTR.messagingOperationName]: operation,
      [ATTR.requestId]: story.requestId,
    },
  };
}

const millis = (nanos: bigint): number => Number(nanos / 1_000n) / 1_000;

export const shorten = (text: string, length = MAX_TEXT): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`;
