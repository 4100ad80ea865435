// The lease of a pipeline: a row whose epoch increases with every owner. Uses the database's clock. The lease only avoids
// contention; the fence in each transaction protects the data.
import type { Postgres } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';

const sql = {
  acquire: sqlFile('lease/acquire'),
  renew: sqlFile('lease/renew'),
  release: sqlFile('lease/release'),
};

export interface Lease {
  pipeline: string;
  owner: string;
  epoch: number;
  /** Checkpoint when the lease was acquired: last sequence projected. */
  position: number;
  /** When the stream stored the message at the position; undefined when unknown. */
  positionStoredAt: string | undefined;
  /** Creation time of the stream that the position belongs to; undefined when the pipeline has never run. */
  streamCreated: string | undefined;
}

export class PipelineLeases {
  readonly leaseMs: number;
  readonly #postgres: Postgres;
  readonly #pipeline: string;

  constructor(postgres: Postgres, pipeline: string, leaseMs: number) {
    this.#postgres = postgres;
    this.#pipeline = pipeline;
    this.leaseMs = leaseMs;
  }

  /** Acquires the lease; undefined while another owner has it. */
  async acquire(owner: string): Promise<Lease | undefined> {
    type Acquired = {
      epoch: number;
      position: number;
      position_stored_at: string | null;
      stream_created: string | null;
    };
    const rows = await this.#postgres
      .transaction(async (client) => {
        // The new epoch must survive a crash of the server. Do not wait longer than 2 s for a transaction of the former owner.
        await client.query("set local synchronous_commit = on; set local lock_timeout = '2s'");
        return (await client.query<Acquired>(sql.acquire, [this.#pipeline, owner, this.leaseMs])).rows;
      })
      .catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE) return [];
        throw error;
      });
    const [acquired] = rows;
    return (
      acquired && {
        pipeline: this.#pipeline,
        owner,
        epoch: acquired.epoch,
        position: acquired.position,
        positionStoredAt: acquired.position_stored_at ?? undefined,
        streamCreated: acquired.stream_created ?? undefined,
      }
    );
  }

  /** Renews the lease; false when another owner has it. */
  async renew(lease: Lease): Promise<boolean> {
    return (await this.#postgres.query(sql.renew, [lease.pipeline, lease.epoch, this.leaseMs])).rowCount === 1;
  }

  /** Releases the lease. */
  async release(lease: Lease): Promise<void> {
    await this.#postgres.query(sql.release, [lease.pipeline, lease.epoch]);
  }
}

const LOCK_NOT_AVAILABLE = '55P03';
