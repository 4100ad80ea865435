// Appends batches of spans and log records to the tables. Leaves to the caller what forms a batch and what happens to a refused
// one.
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import type { ClickHouse } from '@trellis/store-clickhouse';
import type { Attributes, LogRecord, SpanRecord } from './records.ts';

const SETTINGS: ClickHouseSettings = {
  // Reply only after the rows are stored; newer servers would only queue them.
  async_insert: 0,
  // The clocks of clients may differ by days.
  max_partitions_per_insert_block: '0',
};

/** The tables or the database are gone. Create them before anything else. */
export class TablesGone extends Error {
  override readonly name = 'TablesGone';
}

/** The server refuses these rows; others may succeed. */
export class RowsRefused extends Error {
  override readonly name = 'RowsRefused';
}

/** UNKNOWN_TABLE, UNKNOWN_DATABASE */
const GONE: ReadonlySet<string> = new Set(['60', '81']);
/**
 * Errors of the server, not of the rows: TIMEOUT_EXCEEDED, READONLY, TOO_MANY_SIMULTANEOUS_QUERIES, SOCKET_TIMEOUT,
 * NETWORK_ERROR, MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY, NOT_ENOUGH_SPACE, TOO_MANY_PARTS, AUTHENTICATION_FAILED
 */
const NOT_NOW: ReadonlySet<string> = new Set(['159', '164', '202', '209', '210', '241', '242', '243', '252', '516']);

export class TraceWriter {
  readonly #client: ClickHouseClient;

  constructor(clickhouse: ClickHouse) {
    this.#client = clickhouse.client;
  }

  /** @throws {TablesGone | RowsRefused} after any other error some spans may be stored; the reader returns each span once */
  async insertSpans(spans: readonly SpanRecord[]): Promise<void> {
    await this.#insert('otel_traces', spans.map(spanRow));
  }

  /** @throws {TablesGone | RowsRefused} after any other error some records may be stored */
  async insertLogs(logs: readonly LogRecord[]): Promise<void> {
    await this.#insert('otel_logs', logs.map(logRow));
  }

  async #insert(table: string, values: object[]): Promise<void> {
    if (values.length === 0) return;
    try {
      await this.#client.insert({ table, values, format: 'JSONEachRow', clickhouse_settings: SETTINGS });
    } catch (error) {
      if (!(error instanceof ClickHouseError) || NOT_NOW.has(error.code)) throw error;
      const Kind = GONE.has(error.code) ? TablesGone : RowsRefused;
      throw new Kind(`${table}: ${error.message}`, { cause: error });
    }
  }
}

const spanRow = (span: SpanRecord) => ({
  Timestamp: seconds(span.startNs),
  TraceId: span.traceId,
  SpanId: span.spanId,
  ParentSpanId: span.parentSpanId,
  TraceState: text(span.traceState),
  SpanName: text(span.name),
  SpanKind: capitalised(span.kind),
  ServiceName: text(span.service),
  ResourceAttributes: map(span.resource),
  ScopeName: text(span.scopeName),
  ScopeVersion: text(span.scopeVersion),
  SpanAttributes: map(span.attributes),
  Duration: String(span.durationNs),
  StatusCode: capitalised(span.status),
  StatusMessage: text(span.statusMessage),
  'Events.Timestamp': span.events.map(({ timeNs }) => seconds(timeNs)),
  'Events.Name': span.events.map(({ name }) => text(name)),
  'Events.Attributes': span.events.map(({ attributes }) => map(attributes)),
  'Links.TraceId': span.links.map(({ traceId }) => traceId),
  'Links.SpanId': span.links.map(({ spanId }) => spanId),
  'Links.TraceState': span.links.map(({ traceState }) => text(traceState)),
  'Links.Attributes': span.links.map(({ attributes }) => map(attributes)),
});

const logRow = (log: LogRecord) => ({
  Timestamp: seconds(log.timeNs),
  TraceId: log.traceId,
  SpanId: log.spanId,
  TraceFlags: log.traceFlags & 0xff,
  SeverityText: text(log.severityText),
  SeverityNumber: log.severityNumber & 0xff,
  ServiceName: text(log.service),
  Body: text(log.body),
  ResourceSchemaUrl: text(log.resourceSchemaUrl),
  ResourceAttributes: map(log.resource),
  ScopeSchemaUrl: text(log.scopeSchemaUrl),
  ScopeName: text(log.scopeName),
  ScopeVersion: text(log.scopeVersion),
  ScopeAttributes: map(log.scopeAttributes),
  LogAttributes: map(log.attributes),
  EventName: text(log.eventName),
});

/** Seconds with nine decimals: what DateTime64(9) reads without rounding. */
function seconds(nanos: bigint): string {
  return `${nanos / 1_000_000_000n}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
}

/** A lone surrogate would make the server refuse the whole batch. */
const text = (value: string): string => value.toWellFormed();

const map = (attributes: Attributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).map(([key, value]) => [text(key), text(value)]));

/** Kinds and statuses in the exporter's form: `Consumer`, `Ok`. */
const capitalised = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
