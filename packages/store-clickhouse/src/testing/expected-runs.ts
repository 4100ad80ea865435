// For tests: computes the rows that the public views `runs` and `minutes` must have for some events, job by job, with the fold of
// @trellis/lifecycle.
import type { LifecycleEvent, StoredEvent } from '@trellis/contracts';
import { type FoldedJob, isEnded, reduce, TRANSITIONS } from '@trellis/lifecycle';

/** A row of `runs`; times are RFC 3339 UTC. */
export interface ExpectedRun {
  service: string;
  job_type: string;
  job_id: string;
  state: string;
  outcome: string;
  created_at: string;
  queued_at: string;
  first_started_at: string | null;
  last_started_at: string | null;
  ended_at: string | null;
  wait_ms: number | null;
  attempts: number;
  attempt_ms: number[];
  run_ms: number;
  total_ms: number | null;
  error: string;
  ended_by_kind: string;
  ended_by: string;
  reason: string;
  instance_id: string;
  worker_version: string;
  reruns: number;
  events: number;
  ignored_events: number;
  key: string;
  key_hash: string;
  trace_id: string;
  request_id: string;
  head_missing: boolean;
  last_sequence: number;
}

/** An end of execution, as `minutes` counts it. */
export interface ExpectedEnd {
  service: string;
  job_type: string;
  outcome: string;
  ended_at: string;
  attempts: number;
  /** NULL: no attempt is known to have finished. */
  run_ms: number | null;
  wait_ms: number | null;
}

export interface ExpectedHistory {
  runs: ExpectedRun[];
  ends: ExpectedEnd[];
}

/** @param events of any number of jobs, in stream order */
export function expectedHistory(events: readonly StoredEvent[]): ExpectedHistory {
  const jobs = Map.groupBy(events, ({ event }) => `${event.service} ${event.jobType} ${event.jobId}`);
  const history: ExpectedHistory = { runs: [], ends: [] };
  for (const ofJob of jobs.values()) {
    const expected = expectedJob(ofJob);
    if (!expected) continue;
    history.runs.push(expected.run);
    history.ends.push(...expected.ends);
  }
  return history;
}

/** State of a run between its request and its end. */
class Run {
  readonly queuedAt: string;
  readonly queuedKnown: boolean;
  starts: LifecycleEvent[] = [];
  /** Milliseconds by attempt number; 0: the start of the attempt is unknown. */
  worked = new Map<number, number>();
  closing: LifecycleEvent | undefined;
  #attempt = 0;
  #since: string | undefined;

  constructor(first: LifecycleEvent) {
    this.queuedAt = first.timestamp;
    this.queuedKnown = first.eventType === 'created' || first.eventType === 'retried';
  }

  start(event: LifecycleEvent, goesOn: boolean): void {
    this.stop(event);
    if (!goesOn) this.#attempt += 1;
    this.#since = event.timestamp;
    this.starts.push(event);
  }

  stop(event: LifecycleEvent): void {
    if (this.#since === undefined) return;
    const ms = elapsed(this.#since, event.timestamp);
    this.worked.set(this.#attempt, (this.worked.get(this.#attempt) ?? 0) + ms);
    this.#since = undefined;
  }

  get attemptMs(): number[] {
    return [...this.worked].sort(([a], [b]) => a - b).map(([, ms]) => ms);
  }

  get waitMs(): number | null {
    const [first] = this.starts;
    return first && this.queuedKnown ? elapsed(this.queuedAt, first.timestamp) : null;
  }
}

const entersState = ({ eventType }: LifecycleEvent): boolean => TRANSITIONS[eventType].to !== 'same';
const elapsed = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from));
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function expectedJob(events: readonly StoredEvent[]): { run: ExpectedRun; ends: ExpectedEnd[] } | undefined {
  let job: FoldedJob | undefined;
  let run: Run | undefined;
  let ignored = 0;
  let reruns = 0;
  let error = '';
  let keyed: LifecycleEvent['concurrency'];
  const ends: ExpectedEnd[] = [];
  for (const stored of events) {
    const { event } = stored;
    const outcome = reduce(job, stored);
    if (outcome.kind === 'ignored') {
      ignored += 1;
      continue;
    }
    const before = job;
    job = outcome.job;
    if (event.error && entersState(event)) error = event.error;
    if (event.concurrency && entersState(event)) keyed = event.concurrency;
    if (before && event.eventType === 'retried') reruns += 1;
    if (!run || event.eventType === 'retried') run = new Run(event);
    if (event.eventType === 'started') run.start(event, before?.handedBack ?? false);
    if (event.eventType === 'retry') run.stop(event);
    if (!isEnded(job.state)) continue;
    // A reported event of a job without its first events may show that the job has ended, but not who ended it.
    if (entersState(event)) run.closing = event;
    if (before && isEnded(before.state)) continue;
    run.stop(event);
    ends.push({
      service: job.service,
      job_type: job.type,
      outcome: job.state,
      ended_at: event.timestamp,
      attempts: job.tries,
      run_ms: run.worked.size > 0 ? sum(run.attemptMs) : null,
      wait_ms: run.waitMs,
    });
  }
  const last = events.at(-1);
  if (!job || !run || !last) return undefined;
  return { run: rowOf(job, run, { reruns, ignored, events: events.length, error, keyed, last: last.sequence }), ends };
}

function rowOf(
  job: FoldedJob,
  run: Run,
  counts: {
    reruns: number;
    ignored: number;
    events: number;
    error: string;
    keyed: LifecycleEvent['concurrency'];
    last: number;
  },
): ExpectedRun {
  const lastStart = run.starts.at(-1);
  const instance = lastStart?.instanceId || lastStart?.concurrency?.instanceId || '';
  return {
    service: job.service,
    job_type: job.type,
    job_id: job.id,
    state: job.state,
    outcome: isEnded(job.state) ? job.state : '',
    created_at: job.createdAt,
    queued_at: run.queuedAt,
    first_started_at: run.starts[0]?.timestamp ?? null,
    last_started_at: lastStart?.timestamp ?? null,
    ended_at: job.completedAt ?? null,
    wait_ms: run.waitMs,
    attempts: job.tries,
    attempt_ms: run.attemptMs,
    run_ms: sum(run.attemptMs),
    total_ms: job.completedAt && run.queuedKnown ? elapsed(run.queuedAt, job.completedAt) : null,
    error: counts.error,
    ...endedBy(run.closing, instance),
    instance_id: instance,
    worker_version: lastStart?.workerVersion ?? '',
    reruns: counts.reruns,
    events: counts.events,
    ignored_events: counts.ignored,
    key: counts.keyed?.key ?? '',
    key_hash: counts.keyed?.keyHash ?? '',
    trace_id: job.context.traceId,
    request_id: job.context.requestId,
    head_missing: job.headMissing,
    last_sequence: counts.last,
  };
}

const WORKERS_WORD: readonly string[] = ['completed', 'failed', 'dead', 'stale'];

function endedBy(closing: LifecycleEvent | undefined, instance: string) {
  const reason = closing?.reason ?? '';
  if (!closing) return { ended_by_kind: '', ended_by: '', reason };
  if (closing.actor) return { ended_by_kind: closing.actor.kind, ended_by: closing.actor.id ?? '', reason };
  const worker = closing.instanceId || (WORKERS_WORD.includes(closing.eventType) ? instance : '');
  return { ended_by_kind: worker ? 'worker' : '', ended_by: worker, reason };
}

/** The sums of `minutes` and `hours`, without the quantiles. */
interface ExpectedSums {
  service: string;
  job_type: string;
  outcome: string;
  jobs: number;
  attempts: number;
  ran: number;
  run_ms_sum: number;
  waited: number;
  wait_ms_sum: number;
}

export interface ExpectedMinute extends ExpectedSums {
  minute: string;
}
export interface ExpectedHour extends ExpectedSums {
  hour: string;
}

/** The ends summed by minute, in the order of minute, service, type, outcome. */
export const expectedMinutes = (ends: readonly ExpectedEnd[]): ExpectedMinute[] =>
  sumsBy(ends, ({ ended_at }) => ({ minute: `${ended_at.slice(0, 16)}:00.000Z` }));

/** The same by hour. */
export const expectedHours = (ends: readonly ExpectedEnd[]): ExpectedHour[] =>
  sumsBy(ends, ({ ended_at }) => ({ hour: `${ended_at.slice(0, 13)}:00:00.000Z` }));

function sumsBy<Period extends object>(
  ends: readonly ExpectedEnd[],
  periodOf: (end: ExpectedEnd) => Period,
): (Period & ExpectedSums)[] {
  const keyOf = (end: ExpectedEnd) =>
    [...Object.values(periodOf(end)), end.service, end.job_type, end.outcome].join(' ');
  const groups = [...Map.groupBy(ends, keyOf)].sort(([a], [b]) => (a < b ? -1 : 1));
  return groups.flatMap(([, group]) => {
    const [first] = group;
    if (!first) return [];
    const runMs = group.flatMap(({ run_ms }) => run_ms ?? []);
    const waitMs = group.flatMap(({ wait_ms }) => wait_ms ?? []);
    return {
      ...periodOf(first),
      service: first.service,
      job_type: first.job_type,
      outcome: first.outcome,
      jobs: group.length,
      attempts: sum(group.map(({ attempts }) => attempts)),
      ran: runMs.length,
      run_ms_sum: sum(runMs),
      waited: waitMs.length,
      wait_ms_sum: sum(waitMs),
    };
  });
}
