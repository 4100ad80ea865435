// Reads the events of one job from the journal, as they were published. Leaves folding them to @trellis/lifecycle, and queries
// over many jobs to the public views (docs/analytics.md).
import { type LifecycleEvent, optionalEventFields, type StoredEvent } from '@trellis/contracts';
import type { ClickHouse } from './open-clickhouse.ts';
import { statement } from './statement.ts';

const READ_JOB = statement('read-job');
const FIND_OWNER = statement('find-owner');

export interface JobAddress {
  service: string;
  type: string;
  id: string;
}

export interface ReadJobOptions {
  /** Stream sequence; reads only later events. Default 0: from the first event. */
  after?: number | undefined;
  /** Most events to read. */
  limit: number;
  /** Aborts the query. */
  signal?: AbortSignal | undefined;
}

export class HistoryReader {
  readonly #clickhouse: ClickHouse;

  constructor(clickhouse: ClickHouse) {
    this.#clickhouse = clickhouse;
  }

  /**
   * The events of one job in the current generation, in stream order; empty when the job is unknown. Each event equals the
   * result of `decodeEvent` without the slot token: invalid optional fields are absent, unknown fields are present.
   */
  async readJob(job: JobAddress, options: ReadJobOptions): Promise<StoredEvent[]> {
    const { service, type, id } = job;
    options.signal?.throwIfAborted();
    const result = await this.#clickhouse.client.query({
      query: READ_JOB,
      query_params: { service, type, id, after: options.after ?? 0, limit: options.limit },
      format: 'JSONEachRow',
      ...(options.signal && { abort_signal: options.signal }),
    });
    const rows = await result.json<EventRow>();
    return rows.map((row) => ({
      sequence: Number(row.sequence),
      storedAt: instantOf(row.storedAt),
      event: eventOf(job, row),
    }));
  }

  /** The queue of a job by its id; undefined when the job is unknown. */
  async findOwner(id: string): Promise<{ service: string; type: string } | undefined> {
    const result = await this.#clickhouse.client.query({
      query: FIND_OWNER,
      query_params: { id },
      format: 'JSONEachRow',
    });
    const [owner] = await result.json<{ service: string; type: string }>();
    return owner;
  }
}

/** A row of queries/read-job.sql. An empty text or NULL means an absent field; 64-bit numbers may be texts. */
interface EventRow {
  sequence: string | number;
  storedAt: string | number;
  at: string | number;
  eventType: LifecycleEvent['eventType'];
  state: LifecycleEvent['state'];
  previousState: LifecycleEvent['state'] | '';
  tries: number;
  maxTries: number | null;
  error: string;
  requestId: string;
  traceId: string;
  traceparent: string;
  tracestate: string;
  attemptTraceparent: string;
  payload: string;
  result: string;
  progress: string;
  logs: string;
  concurrency: string;
  queuePolicy: string;
  deadline: string | number | null;
  instanceId: string;
  workerVersion: string;
  workSequence: string | number | null;
  handedBack: boolean;
  actorKind: NonNullable<LifecycleEvent['actor']>['kind'] | '';
  actorId: string;
  reason: string;
  extra: string;
}

const instantOf = (millis: string | number): string => new Date(Number(millis)).toISOString();
const parsed = <T>(json: string): T | undefined => (json === '' ? undefined : (JSON.parse(json) as T));
const given = <T>(value: T | null | ''): T | undefined => (value === null || value === '' ? undefined : value);

function eventOf({ service, type, id }: JobAddress, row: EventRow): LifecycleEvent {
  const { context, actor, timestamp, deadline, ...unknown } = parsed<Extra>(row.extra) ?? {};
  // `extra` holds invalid optional fields beside unknown ones. Drop them here, as decodeEvent does.
  for (const name of Object.keys(optionalEventFields)) delete unknown[name];
  const event: LifecycleEvent = {
    ...unknown,
    jobId: id,
    service,
    jobType: type,
    eventType: row.eventType,
    state: row.state,
    timestamp: timestamp ?? instantOf(row.at),
    context: { requestId: row.requestId, traceId: row.traceId, traceparent: row.traceparent, ...context },
    tries: row.tries,
  };
  if (row.tracestate !== '') event.context.tracestate = row.tracestate;
  const optional: Partial<LifecycleEvent> = {
    maxTries: given(row.maxTries),
    previousState: given(row.previousState),
    payload: parsed(row.payload),
    result: parsed(row.result),
    error: given(row.error),
    progress: parsed(row.progress),
    logs: parsed(row.logs),
    deadline: row.deadline === null ? deadlineFromExtra(deadline) : instantOf(row.deadline),
    concurrency: parsed(row.concurrency),
    queuePolicy: parsed(row.queuePolicy),
    instanceId: given(row.instanceId),
    workSequence: row.workSequence === null ? undefined : Number(row.workSequence),
    handedBack: row.handedBack || undefined,
    actor:
      row.actorKind === '' ? undefined : { ...actor, kind: row.actorKind, ...(row.actorId && { id: row.actorId }) },
    reason: given(row.reason),
    attemptTraceparent: given(row.attemptTraceparent),
    workerVersion: given(row.workerVersion),
  };
  for (const [name, value] of Object.entries(optional)) if (value !== undefined) event[name] = value;
  return event;
}

/** The column `extra`, as journal-row.ts writes it. */
interface Extra extends Record<string, unknown> {
  context?: Record<string, unknown>;
  actor?: Record<string, unknown>;
  timestamp?: string;
  deadline?: unknown;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** A deadline outside ClickHouse's range, from `extra`; undefined for an invalid deadline, which `extra` holds too. */
const deadlineFromExtra = (deadline: unknown): string | undefined =>
  typeof deadline === 'string' && INSTANT.test(deadline) ? deadline : undefined;
