export { createTraceTables, DEFAULT_OTEL_DATABASE } from './create-tables.ts';
export type { Attributes, Log, LogRecord, Span, SpanLink, SpanRecord } from './records.ts';
export { type Period, type TraceQuery, TraceReader, TracesUnavailable } from './trace-reader.ts';
export { RowsRefused, TablesGone, TraceWriter } from './trace-writer.ts';
