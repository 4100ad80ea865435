export { CATALOGUE, prometheusName } from './catalogue.ts';
export { countMetric, moveMetric, observeMetrics, recordMetric } from './instruments.ts';
export { type SpanEntry, spanEntryOf } from './spans.ts';
export type { TelemetrySettings } from './telemetry-settings.ts';
export { contextOf, extractHeaders, injectHeaders, linkTo, spanContextOf, traceparentOf } from './trace-context.ts';
export { errorTypeOf, failSpan, withSpan } from './with-span.ts';
