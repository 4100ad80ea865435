// Reads spans and log records by trace or by job, from tables that our receiver or a collector wrote.
// Leaves to the gateway what they mean for a job.
import { readFileSync } from 'node:fs';
import { ClickHouseError } from '@clickhouse/client';
import { SPAN_KINDS, SPAN_STATUSES } from '@trellis/contracts';
import type { ClickHouse } from '@trellis/store-clickhouse';
import type { Attributes, Log, Span } from './records.ts';

/** Traces cannot be read now: the server is down or timed out, or the tables do not exist yet. */
export class TracesUnavailable extends Error {
  override readonly name = 'TracesUnavailable';
}

export interface Period {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
}

export interface TraceQuery {
  traceIds: readonly string[];
  jobIds: readonly string[];
  /** Where to search for spans with a job id, and for log records. */
  period: Period;
  /** Most rows of each statement. */
  limit: number;
}

const statement = (name: string): string =>
  readFileSync(new URL(`../queries/${name}.sql`, import.meta.url), 'utf8').trim();

const SPANS_OF_TRACES = statement('read-spans-of-traces');
const SPANS_OF_JOBS = statement('read-spans-of-jobs');
const LOGS_OF_TRACES = statement('read-logs-of-traces');
const LOGS_BY_ATTRIBUTES = statement('read-logs-by-attributes');

export class TraceReader {
  readonly #clickhouse: ClickHouse;

  constructor(clickhouse: ClickHouse) {
    this.#clickhouse = clickhouse;
  }

  /** Spans of these traces and spans with the id of one of these jobs; each once, by start. @throws {TracesUnavailable} */
  async spansOf({ traceIds, jobIds, period, limit }: TraceQuery): Promise<Span[]> {
    const [ofTraces, ofJobs] = await Promise.all([
      traceIds.length === 0 ? [] : this.#rows<SpanRow>(SPANS_OF_TRACES, { traceIds, limit }),
      jobIds.length === 0 ? [] : this.#rows<SpanRow>(SPANS_OF_JOBS, { jobIds, ...period, limit }),
    ]);
    const spans = new Map<string, Span>();
    for (const row of [...ofTraces, ...ofJobs]) spans.set(`${row.traceId} ${row.spanId}`, toSpan(row));
    return [...spans.values()].sort((a, b) => compare(a.startNs, b.startNs));
  }

  /**
   * Log records of these traces, and those whose attributes name one of these traces or jobs, by time.
   * @throws {TracesUnavailable}
   */
  async logsOf({ traceIds, jobIds, period, limit }: TraceQuery): Promise<Log[]> {
    const [ofTraces, ofJobs] = await Promise.all([
      traceIds.length === 0 ? [] : this.#rows<LogRow>(LOGS_OF_TRACES, { traceIds, ...period, limit }),
      this.#rows<LogRow>(LOGS_BY_ATTRIBUTES, { jobIds, traceIds, ...period, limit }),
    ]);
    const inTraces = new Set(traceIds);
    const others = ofJobs.filter(({ traceId }) => !inTraces.has(traceId));
    return [...ofTraces, ...others].map(toLog).sort((a, b) => compare(a.timeNs, b.timeNs));
  }

  async #rows<Row>(query: string, query_params: Record<string, unknown>): Promise<Row[]> {
    try {
      const result = await this.#clickhouse.client.query({ query, query_params, format: 'JSONEachRow' });
      return await result.json<Row>();
    } catch (error) {
      if (error instanceof ClickHouseError && !NOT_NOW.has(error.code)) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new TracesUnavailable(`traces cannot be read: ${why}`, { cause: error });
    }
  }
}

/** UNKNOWN_TABLE, UNKNOWN_DATABASE, TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, MEMORY_LIMIT_EXCEEDED */
const NOT_NOW: ReadonlySet<string> = new Set(['60', '81', '159', '202', '241']);

interface SpanRow {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  kind: string;
  service: string;
  resource: Attributes;
  attributes: Attributes;
  startNs: string;
  durationNs: string;
  status: string;
  statusMessage: string;
  linkTraceIds: string[];
  linkSpanIds: string[];
  linkAttributes: Attributes[];
}

function toSpan({ linkTraceIds, linkSpanIds, linkAttributes, ...row }: SpanRow): Span {
  return {
    ...row,
    kind: wordOf(row.kind, SPAN_KINDS) ?? 'internal',
    status: wordOf(row.status, SPAN_STATUSES) ?? 'unset',
    startNs: BigInt(row.startNs),
    durationNs: BigInt(row.durationNs),
    links: linkTraceIds.map((traceId, at) => ({
      traceId,
      spanId: linkSpanIds[at] ?? '',
      attributes: linkAttributes[at] ?? {},
    })),
  };
}

interface LogRow extends Omit<Log, 'timeNs'> {
  timeNs: string;
}

const toLog = (row: LogRow): Log => ({ ...row, timeNs: BigInt(row.timeNs) });

/** Matches `Server`, and `SPAN_KIND_SERVER` as older collectors write it. */
const wordOf = <Word extends string>(stored: string, words: readonly Word[]): Word | undefined => {
  const last = stored.slice(stored.lastIndexOf('_') + 1).toLowerCase();
  return words.find((word) => word === last);
};

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
