// Writes the table of worker presence in batches, one writer at a time. Leaves to the heartbeat aggregator whether a worker is
// late or gone.
import type { Postgres } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';
import { JsonArrayBuffer } from '../encoding/json-array-buffer.ts';
import { type Lease, PipelineLeases } from '../projection/pipeline-leases.ts';
import type { WorkerPresence } from './worker-presence.ts';
import { toPresence, type WorkerRow } from './worker-row.ts';

const sql = {
  takeOver: sqlFile('presence/take-over'),
  flush: sqlFile('presence/flush'),
  list: sqlFile('presence/list-workers'),
  forget: sqlFile('presence/forget'),
};

export interface HeardUpTo {
  /** Last sequence of the presence stream that was heard. */
  sequence: number;
  /** Presence is correct up to this instant. */
  at: string;
  streamCreated: string;
}

export class PresenceStore {
  static readonly pipeline = 'presence';
  readonly leases: PipelineLeases;
  readonly #postgres: Postgres;
  readonly #rows = new JsonArrayBuffer();

  constructor(postgres: Postgres, options: { leaseMs: number }) {
    this.#postgres = postgres;
    this.leases = new PipelineLeases(postgres, PresenceStore.pipeline, options.leaseMs);
  }

  /** Takes over the lease from any owner; the former owner's next flush writes nothing. */
  async takeOver(owner: string): Promise<Lease> {
    const { rows } = await this.#postgres.query<{ epoch: number }>(sql.takeOver, [owner, this.leases.leaseMs]);
    const epoch = rows[0]?.epoch ?? 0;
    return {
      pipeline: PresenceStore.pipeline,
      owner,
      epoch,
      position: 0,
      positionStoredAt: undefined,
      streamCreated: undefined,
    };
  }

  /** The workers that are not gone, or were seen within the last 15 minutes. */
  async list(): Promise<WorkerPresence[]> {
    const { rows } = await this.#postgres.query<WorkerRow>(sql.list);
    return rows.map(toPresence);
  }

  /**
   * Writes these workers, each given once, and renews the lease, in one statement.
   * @returns false when another owner has the lease and nothing was written
   */
  async flush(lease: Lease, workers: readonly WorkerPresence[], heard: HeardUpTo): Promise<boolean> {
    const { rows } = await this.#postgres.query<{ held: boolean }>(sql.flush, [
      lease.epoch,
      this.leases.leaseMs,
      heard.sequence,
      heard.at,
      heard.streamCreated,
      this.#rows.encode(workers),
    ]);
    return rows[0]?.held === true;
  }

  /** Deletes workers that are gone and were last seen before `instant`. @returns how many */
  async forget(instant: string): Promise<number> {
    return (await this.#postgres.query(sql.forget, [instant])).rowCount;
  }
}
