// Spans and log records as this package accepts and returns them. trace-writer.ts and trace-reader.ts convert them to and from
// rows.
import type { SPAN_KINDS, SPAN_STATUSES } from '@trellis/contracts';

export type Attributes = Record<string, string>;

export interface SpanLink {
  traceId: string;
  spanId: string;
  attributes: Attributes;
}

/** Ids are lower-case hexadecimal digits; times are nanoseconds since 1970. */
export interface Span {
  traceId: string;
  spanId: string;
  /** Empty for the root of a trace. */
  parentSpanId: string;
  name: string;
  kind: (typeof SPAN_KINDS)[number];
  /** `service.name` of the process. */
  service: string;
  resource: Attributes;
  attributes: Attributes;
  startNs: bigint;
  durationNs: bigint;
  status: (typeof SPAN_STATUSES)[number];
  statusMessage: string;
  links: SpanLink[];
}

/** A span with all stored fields. */
export interface SpanRecord extends Span {
  traceState: string;
  scopeName: string;
  scopeVersion: string;
  events: { timeNs: bigint; name: string; attributes: Attributes }[];
  links: (SpanLink & { traceState: string })[];
}

export interface Log {
  timeNs: bigint;
  /** Empty when the record belongs to no trace. */
  traceId: string;
  spanId: string;
  severityText: string;
  /** 1 (trace) … 24 (fatal), as OpenTelemetry numbers them; 0: unknown. */
  severityNumber: number;
  service: string;
  body: string;
  attributes: Attributes;
}

/** A log record with all stored fields. */
export interface LogRecord extends Log {
  traceFlags: number;
  resource: Attributes;
  resourceSchemaUrl: string;
  scopeName: string;
  scopeVersion: string;
  scopeSchemaUrl: string;
  scopeAttributes: Attributes;
  eventName: string;
}
