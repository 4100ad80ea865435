// For tests: the events and spans of a job as our SDK makes them, easy to write down. Times are milliseconds from BASE.
import {
  ATTR,
  type EventType,
  LINK,
  type LifecycleEvent,
  type StoredEvent,
  spanName,
  workSubject,
} from '@trellis/contracts';
import type { Log, Span } from '@trellis/store-traces';

const BASE = Date.parse('2026-03-01T12:00:00.000Z');
export const TRACE = 'aa'.repeat(16);
export const LATE_TRACE = 'bb'.repeat(16);

/** Ids that can be recognised in a failure: `spanIdOf('create')`. */
export const spanIdOf = (name: string): string => Buffer.from(name).toString('hex').slice(0, 16).padEnd(16, '0');
export const nameOf = (spanId: string): string => Buffer.from(spanId, 'hex').toString().replaceAll('\0', '');

let sequence = 0;

export interface SketchedJob {
  id: string;
  type: string;
  /** Name of the span of its creation. */
  created: string;
  trace?: string;
}

const traceparent = (span: string, trace = TRACE): string => `00-${trace}-${spanIdOf(span)}-01`;

export function eventAt(
  { id, type, created, trace }: SketchedJob,
  eventType: EventType,
  atMs: number,
  more: Partial<LifecycleEvent> = {},
): StoredEvent {
  const timestamp = new Date(BASE + atMs).toISOString();
  return {
    sequence: ++sequence,
    storedAt: timestamp,
    event: {
      jobId: id,
      service: 'orders',
      jobType: type,
      eventType,
      state: 'active',
      timestamp,
      context: { requestId: 'r-1', traceId: trace ?? TRACE, traceparent: traceparent(created, trace) },
      tries: 0,
      ...more,
    },
  };
}

export const startedAt = (job: SketchedJob, atMs: number, span: string | undefined, tries: number, trace = TRACE) =>
  eventAt(job, 'started', atMs, {
    tries,
    ...(span === undefined ? {} : { attemptTraceparent: traceparent(span, trace) }),
  });

export interface SpanSketch {
  parent?: string;
  trace?: string;
  from?: number;
  to?: number;
  service?: string;
  attributes?: Record<string, string>;
  links?: { span: string; trace?: string; kind: string }[];
  more?: Partial<Span>;
}

export function span(name: string, sketch: SpanSketch = {}): Span {
  const { parent, trace = TRACE, from = 0, to = from + 1, service = 'orders', attributes = {}, links = [] } = sketch;
  return {
    traceId: trace,
    spanId: spanIdOf(name),
    parentSpanId: parent === undefined ? '' : spanIdOf(parent),
    name,
    kind: 'internal',
    service,
    resource: { 'service.name': service, [ATTR.instanceId]: `${service}-1` },
    attributes,
    startNs: BigInt(BASE + from) * 1_000_000n,
    durationNs: BigInt(to - from) * 1_000_000n,
    status: 'unset',
    statusMessage: '',
    links: links.map((link) => ({
      traceId: link.trace ?? TRACE,
      spanId: spanIdOf(link.span),
      attributes: { [ATTR.linkKind]: link.kind },
    })),
    ...sketch.more,
  };
}

const attributesOf = ({ id, type }: SketchedJob, operation: 'create' | 'wait' | 'process') => ({
  [ATTR.jobId]: id,
  [ATTR.jobService]: 'orders',
  [ATTR.jobType]: type,
  [ATTR.messagingOperationName]: operation,
});

export const createSpan = (job: SketchedJob, sketch: SpanSketch = {}): Span =>
  span(job.created, {
    ...(job.trace === undefined ? {} : { trace: job.trace }),
    ...sketch,
    attributes: { ...attributesOf(job, 'create'), ...sketch.attributes },
    more: { kind: 'producer', name: spanName('create', workSubject('orders', job.type)) },
  });

/** The span of an attempt; `sketch.parent` is left out for one that is late. */
export const processSpan = (job: SketchedJob, name: string, attempt: number, sketch: SpanSketch = {}): Span =>
  span(name, {
    links: [{ span: job.created, kind: LINK.creation, ...(job.trace === undefined ? {} : { trace: job.trace }) }],
    ...sketch,
    attributes: { ...attributesOf(job, 'process'), [ATTR.jobAttempt]: String(attempt), ...sketch.attributes },
    more: { kind: 'consumer', name: spanName('process', workSubject('orders', job.type)) },
  });

export const waitSpan = (job: SketchedJob, name: string, attempt: number, sketch: SpanSketch = {}): Span =>
  span(name, {
    links: [{ span: job.created, kind: LINK.creation }],
    ...sketch,
    attributes: { ...attributesOf(job, 'wait'), [ATTR.jobAttempt]: String(attempt) },
    more: { name: spanName('wait', workSubject('orders', job.type)) },
  });

export const logAt = (atMs: number, body: string, more: Partial<Log> = {}): Log => ({
  timeNs: BigInt(BASE + atMs) * 1_000_000n,
  traceId: TRACE,
  spanId: '',
  severityText: 'INFO',
  severityNumber: 9,
  service: 'orders',
  body,
  attributes: {},
  ...more,
});
