// Reads worker presence for the admin RPCs: services with their workers, and which workers are gone. Never writes;
// presence/presence-store.ts does.
import { JOB_STATES } from '@trellis/contracts';
import { isEnded } from '@trellis/lifecycle';
import type { Queryable, Row } from '../connection/open-postgres.ts';
import type { WorkerPresence, WorkerStatus } from '../presence/worker-presence.ts';
import { toPresence, type WorkerRow } from '../presence/worker-row.ts';
import { readRows } from './read-query.ts';

/** Most workers shown of one service; the counts include all. */
const MAX_SHOWN_WORKERS = 1_000;
/** Most active job ids shown of one worker; `activeJobCount` includes all. */
const MAX_SHOWN_ACTIVE_JOBS = 100;

const OPEN_STATES = JOB_STATES.filter((state) => !isEnded(state));

/** Instants are RFC 3339 UTC. */
export interface ServicePresence {
  name: string;
  /** The last heartbeat of any of its workers; undefined when there was none. */
  lastSeenAt: string | undefined;
  counts: Record<WorkerStatus, number>;
  /** Live workers first, then the most recently seen; at most `MAX_SHOWN_WORKERS`. */
  workers: WorkerPresence[];
  /** Number of jobs that wait for a worker or are running. */
  openJobs: number;
}

export interface WorkerIdentity {
  service: string;
  type: string;
  instanceId: string;
}

/** All methods throw `StoreUnavailable` when the store cannot answer now. */
export class PresenceReader {
  readonly #store: Queryable;

  /** @param store opened by `openPostgres` */
  constructor(store: Queryable) {
    this.#store = store;
  }

  /** One page of the services, by name: those with workers, present or gone, and those with open jobs that never had a worker. */
  async services(page: { limit: number; offset: number }): Promise<{ services: ServicePresence[]; total: number }> {
    const rows = await readRows<ServiceRow>(this.#store, 'services', [OPEN_STATES, page.limit, page.offset]);
    const services = rows.flatMap(({ name, open_jobs }) => (name === null ? [] : [emptyService(name, open_jobs ?? 0)]));
    const byName = new Map(services.map((service) => [service.name, service]));
    if (services.length > 0) {
      const limits = [MAX_SHOWN_WORKERS, MAX_SHOWN_ACTIVE_JOBS];
      for (const row of await readRows<ServiceWorkerRow>(this.#store, 'workers', [[...byName.keys()], ...limits])) {
        const service = byName.get(row.service);
        if (!service) continue;
        service.lastSeenAt = row.service_seen_at;
        service.counts = { live: row.live, late: row.late, gone: row.gone };
        service.workers.push(toPresence(row));
      }
    }
    return { services, total: rows[0]?.total ?? 0 };
  }

  /** Which of these workers are known to be gone. */
  async gone(workers: readonly WorkerIdentity[]): Promise<WorkerIdentity[]> {
    if (workers.length === 0) return [];
    const rows = await readRows<{ service: string; type: string; instance_id: string }>(this.#store, 'gone-workers', [
      workers.map(({ service }) => service),
      workers.map(({ type }) => type),
      workers.map(({ instanceId }) => instanceId),
    ]);
    return rows.map(({ service, type, instance_id }) => ({ service, type, instanceId: instance_id }));
  }
}

interface ServiceRow extends Row {
  total: number;
  name: string | null;
  open_jobs: number | null;
}

interface ServiceWorkerRow extends WorkerRow {
  live: number;
  late: number;
  gone: number;
  service_seen_at: string;
}

const emptyService = (name: string, openJobs: number): ServicePresence => ({
  name,
  lastSeenAt: undefined,
  counts: { live: 0, late: 0, gone: 0 },
  workers: [],
  openJobs,
});
