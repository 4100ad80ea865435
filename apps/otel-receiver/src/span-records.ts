// The spans of a request as they are stored. A span without valid ids or start cannot be found again and is rejected.
import { SPAN_KINDS, SPAN_STATUSES } from '@trellis/contracts';
import type { SpanRecord } from '@trellis/store-traces';
import type { OtlpRequest, OtlpScope, OtlpSpan, Rejection } from './otlp-request.ts';
import { attributesOf, hexId, nanosOf } from './otlp-values.ts';

export interface Converted<Row> {
  records: Row[];
  rejected: Rejection | undefined;
}

export function spanRecords(request: OtlpRequest<'traces'>): Converted<SpanRecord> {
  const records: SpanRecord[] = [];
  let rejected: Rejection | undefined;
  for (const { resource, scopeSpans } of request.resourceSpans ?? []) {
    const resourceAttributes = attributesOf(resource?.attributes);
    for (const { scope, spans } of scopeSpans ?? []) {
      for (const span of spans ?? []) {
        const record = toRecord(span, scope, resourceAttributes);
        if (typeof record !== 'string') records.push(record);
        else if (rejected) rejected.count++;
        else rejected = { count: 1, reason: record };
      }
    }
  }
  return { records, rejected };
}

/** The record, or why there is none. */
function toRecord(span: OtlpSpan, scope: OtlpScope, resource: SpanRecord['resource']): SpanRecord | string {
  const traceId = hexId(span.traceId, 16);
  if (traceId === undefined) return `trace_id: expected 16 bytes that are not all zero (span "${span.name ?? ''}")`;
  const spanId = hexId(span.spanId, 8);
  if (spanId === undefined) return `span_id: expected 8 bytes that are not all zero (span "${span.name ?? ''}")`;
  const startNs = nanosOf(span.startTimeUnixNano);
  if (startNs === undefined)
    return `start_time_unix_nano: expected a time from 1970 to 2105 (span "${span.name ?? ''}")`;
  const endNs = nanosOf(span.endTimeUnixNano) ?? startNs;
  return {
    traceId,
    spanId,
    parentSpanId: hexId(span.parentSpanId, 8) ?? '',
    traceState: span.traceState ?? '',
    name: span.name ?? '',
    // 0 is unspecified, which may be taken for internal; 1 is internal.
    kind: SPAN_KINDS[(span.kind ?? 0) - 1] ?? 'internal',
    service: resource['service.name'] ?? '',
    resource,
    scopeName: scope?.name ?? '',
    scopeVersion: scope?.version ?? '',
    attributes: attributesOf(span.attributes),
    startNs,
    durationNs: endNs > startNs ? endNs - startNs : 0n,
    status: SPAN_STATUSES[span.status?.code ?? 0] ?? 'unset',
    statusMessage: span.status?.message ?? '',
    events: (span.events ?? []).map((event) => ({
      timeNs: nanosOf(event.timeUnixNano) ?? startNs,
      name: event.name ?? '',
      attributes: attributesOf(event.attributes),
    })),
    links: (span.links ?? []).map((link) => ({
      traceId: hexId(link.traceId, 16) ?? '',
      spanId: hexId(link.spanId, 8) ?? '',
      traceState: link.traceState ?? '',
      attributes: attributesOf(link.attributes),
    })),
  };
}
