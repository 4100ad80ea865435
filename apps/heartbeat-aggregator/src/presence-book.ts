// What is known of every worker that lives or is only just gone: its last heartbeat, its interval, whether it is late. Pure
// except for its own memory, which the number of workers bounds; times are passed in.
import type { WorkerPresence, WorkerStatus } from '@trellis/store-postgres';
import type { Heartbeat } from './read-heartbeat.ts';

/** A worker is late after this many of its intervals without a heartbeat, */
const LATE_AFTER = 2.5;
/** and gone after so many. */
const GONE_AFTER = 6;
/** Shorter intervals count as this one: no worker is late within a second. */
const MIN_INTERVAL_MS = 400;
const MAX_INTERVAL_MS = 600_000;
/** How long a gone worker is remembered, in milliseconds: the stream may bring its last heartbeat again. */
const REMEMBER_MS = 600_000;
/** After this long without any heartbeat the aggregator or the server was silent, not the workers. Milliseconds. */
const DEAF_MS = 2_000;

interface Worker {
  heartbeat: Heartbeat;
  status: WorkerStatus;
  firstSeenAt: number;
  lastSeenAt: number;
  intervalMs: number;
  /** Whether the interval was ever seen. */
  learned: boolean;
  /** Heartbeats may have been missed: the next gap says nothing about an interval. */
  resumed: boolean;
  /** What the store has is not what is known. */
  changed: boolean;
}

export class PresenceBook {
  readonly #workers = new Map<string, Worker>();
  readonly #defaultIntervalMs: number;
  #knownUpTo: number | undefined;
  /** Silence before this is nobody's fault. */
  #resumedAt = 0;

  constructor(options: { defaultIntervalMs: number }) {
    this.#defaultIntervalMs = options.defaultIntervalMs;
  }

  get size(): number {
    return this.#workers.size;
  }

  /** Workers of each service, by the judgement of the last `takeChanges`. */
  countWorkers(): Map<string, Record<WorkerStatus, number>> {
    const counts = new Map<string, Record<WorkerStatus, number>>();
    for (const { heartbeat, status } of this.#workers.values()) {
      const ofService = counts.get(heartbeat.service) ?? { live: 0, late: 0, gone: 0 };
      ofService[status]++;
      counts.set(heartbeat.service, ofService);
    }
    return counts;
  }

  /** Every heartbeat up to this instant (milliseconds since 1970) was received; undefined before the first. */
  get knownUpTo(): number | undefined {
    return this.#knownUpTo;
  }

  /** Begins with what a former owner knew. */
  load(workers: readonly WorkerPresence[]): void {
    for (const worker of workers) this.#workers.set(keyOf(worker), fromPresence(worker));
  }

  /** A heartbeat that the stream stored at `at`, in stream order. */
  hear(heartbeat: Heartbeat, at: number): void {
    // Before the first complete pass, the messages are old.
    if (this.#knownUpTo !== undefined) this.heardUpTo(at);
    const key = keyOf(heartbeat);
    const worker = this.#workers.get(key);
    if (!worker) {
      const intervalMs = this.#defaultIntervalMs;
      const fresh = { heartbeat, status: 'live', firstSeenAt: at, lastSeenAt: at, intervalMs } as const;
      this.#workers.set(key, { ...fresh, learned: false, resumed: false, changed: true });
      return;
    }
    // A restarted consumer brings the last heartbeat of each worker again.
    if (at < worker.lastSeenAt) return;
    const heardAll = !worker.resumed && worker.status !== 'gone' && worker.lastSeenAt >= this.#resumedAt;
    if (at > worker.lastSeenAt && heardAll) learn(worker, at - worker.lastSeenAt);
    worker.resumed = worker.resumed && at === worker.lastSeenAt;
    learnNews(worker.heartbeat, heartbeat);
    worker.lastSeenAt = at;
    worker.changed = true;
  }

  /** Every heartbeat up to `at` was received, even when there was none. */
  heardUpTo(at: number): void {
    if (this.#knownUpTo !== undefined && at - this.#knownUpTo > DEAF_MS) this.#resumedAt = at;
    this.#knownUpTo = Math.max(this.#knownUpTo ?? at, at);
  }

  /** Decides the status of every worker and returns those that changed since the last call. */
  takeChanges(): WorkerPresence[] {
    const changes: WorkerPresence[] = [];
    for (const [key, worker] of this.#workers) {
      const status = this.#judge(worker);
      if (status !== worker.status) {
        worker.status = status;
        worker.changed = true;
      }
      if (worker.changed) changes.push(toPresence(worker));
      worker.changed = false;
      if (status === 'gone' && this.#silenceOf(worker) > REMEMBER_MS) this.#workers.delete(key);
    }
    return changes;
  }

  #silenceOf({ lastSeenAt }: Worker): number {
    return (this.#knownUpTo ?? lastSeenAt) - Math.max(lastSeenAt, this.#resumedAt);
  }

  #judge(worker: Worker): WorkerStatus {
    const { status, intervalMs } = worker;
    if (this.#knownUpTo === undefined) return status;
    const silentMs = this.#silenceOf(worker);
    const interval = Math.max(intervalMs, MIN_INTERVAL_MS);
    if (silentMs > GONE_AFTER * interval) return 'gone';
    return silentMs > LATE_AFTER * interval ? 'late' : 'live';
  }
}

/**
 * Learns the interval from the gaps between heartbeats: quickly when they grow, to avoid false alarms; slowly when they
 * shrink; in bounded steps, because heartbeats may be missing.
 */
function learn(worker: Worker, gapMs: number): void {
  if (!worker.learned) {
    worker.intervalMs = gapMs;
    worker.learned = true;
  } else {
    const { intervalMs } = worker;
    const gap = Math.min(gapMs, 4 * Math.max(intervalMs, MIN_INTERVAL_MS));
    worker.intervalMs = intervalMs + (gap - intervalMs) * (gap > intervalMs ? 0.5 : 0.2);
  }
  worker.intervalMs = Math.min(Math.max(worker.intervalMs, 1), MAX_INTERVAL_MS);
}

const keyOf = ({ service, type, instanceId }: Pick<Heartbeat, 'service' | 'type' | 'instanceId'>): string =>
  `${service} ${type} ${instanceId}`;

/** Keeps only the changed fields of a heartbeat: at thousands a second, hardly any garbage survives. */
function learnNews(known: Heartbeat, heard: Heartbeat): void {
  known.concurrency = heard.concurrency;
  known.activeJobCount = heard.activeJobCount;
  if (known.version !== heard.version) known.version = heard.version;
  if (!sameIds(known.activeJobs, heard.activeJobs)) known.activeJobs = heard.activeJobs;
}

const sameIds = (a: string[] | undefined, b: string[] | undefined): boolean =>
  a?.length === b?.length && (a?.every((id, index) => id === b?.[index]) ?? true);

const fromPresence = (worker: WorkerPresence): Worker => ({
  heartbeat: {
    service: worker.service,
    type: worker.type,
    instanceId: worker.instanceId,
    concurrency: worker.concurrency,
    version: worker.version,
    activeJobs: worker.activeJobs === undefined ? undefined : [...worker.activeJobs],
    activeJobCount: worker.activeJobCount,
  },
  status: worker.status,
  firstSeenAt: Date.parse(worker.firstSeenAt),
  lastSeenAt: Date.parse(worker.lastSeenAt),
  intervalMs: worker.heartbeatIntervalMs,
  learned: true,
  resumed: true,
  changed: false,
});

const toPresence = (worker: Worker): WorkerPresence => ({
  ...worker.heartbeat,
  status: worker.status,
  firstSeenAt: new Date(worker.firstSeenAt).toISOString(),
  lastSeenAt: new Date(worker.lastSeenAt).toISOString(),
  heartbeatIntervalMs: Math.round(worker.intervalMs),
});
