// The log records of a request as they are stored. None is rejected: what it lacks stays empty.
import type { LogRecord } from '@trellis/store-traces';
import type { OtlpRequest } from './otlp-request.ts';
import { attributesOf, hexId, nanosOf, valueText } from './otlp-values.ts';

/** @param receivedNs stands in for the time of a record that has none */
export function logRecords(request: OtlpRequest<'logs'>, receivedNs: bigint): LogRecord[] {
  return (request.resourceLogs ?? []).flatMap(({ resource, schemaUrl, scopeLogs }) => {
    const resourceAttributes = attributesOf(resource?.attributes);
    return (scopeLogs ?? []).flatMap((ofScope) => {
      const shared = {
        service: resourceAttributes['service.name'] ?? '',
        resource: resourceAttributes,
        resourceSchemaUrl: schemaUrl ?? '',
        scopeName: ofScope.scope?.name ?? '',
        scopeVersion: ofScope.scope?.version ?? '',
        scopeSchemaUrl: ofScope.schemaUrl ?? '',
        scopeAttributes: attributesOf(ofScope.scope?.attributes),
      };
      return (ofScope.logRecords ?? []).map((log) => ({
        ...shared,
        timeNs: nanosOf(log.timeUnixNano) ?? nanosOf(log.observedTimeUnixNano) ?? receivedNs,
        traceId: hexId(log.traceId, 16) ?? '',
        spanId: hexId(log.spanId, 8) ?? '',
        traceFlags: (log.flags ?? 0) & 0xff,
        severityText: log.severityText ?? '',
        severityNumber: Math.min(Math.max(log.severityNumber ?? 0, 0), 24),
        body: valueText(log.body),
        attributes: attributesOf(log.attributes),
        eventName: log.eventName ?? '',
      }));
    });
  });
}

/** How many data points the request holds. */
export const countDataPoints = (request: OtlpRequest<'metrics'>): number =>
  (request.resourceMetrics ?? [])
    .flatMap(({ scopeMetrics }) => scopeMetrics ?? [])
    .flatMap(({ metrics }) => metrics ?? [])
    .flatMap((metric) => [metric.gauge, metric.sum, metric.histogram, metric.exponentialHistogram, metric.summary])
    .reduce((sum, points) => sum + (points?.dataPoints?.length ?? 0), 0);
