// The passes of the janitor's duties, one row for each duty: when it is due, which replica holds its lease, what its last pass
// did. Uses the database's clock, so that replicas agree.
import type { Queryable } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';

const sql = {
  claim: sqlFile('janitor/claim-pass'),
  renew: sqlFile('janitor/renew-pass'),
  finish: sqlFile('janitor/finish-pass'),
};

/** The lease of a duty, until it expires or the pass is finished. */
export interface PassClaim {
  duty: string;
  epoch: number;
  /** Where the last pass stopped; `{}` before the first pass. */
  state: unknown;
}

export interface PassProblem {
  code: string;
  message: string;
  [detail: string]: unknown;
}

export interface PassReport {
  durationMs: number;
  counts: Record<string, number>;
  problems: readonly PassProblem[];
  /** Why the pass failed; undefined when it succeeded. */
  error: string | undefined;
  /** Where the next pass continues; undefined keeps the stored state. */
  state: unknown;
  /** Milliseconds until the duty is due again. */
  nextInMs: number;
}

export class PassLedger {
  readonly #postgres: Queryable;
  readonly #owner: string;
  readonly leaseMs: number;

  constructor(postgres: Queryable, owner: string, leaseMs: number) {
    this.#postgres = postgres;
    this.#owner = owner;
    this.leaseMs = leaseMs;
  }

  /** Acquires the lease of a due duty; undefined when it is not due or another replica runs it. */
  async claim(duty: string): Promise<PassClaim | undefined> {
    type Claimed = { epoch: number; state: unknown };
    const { rows } = await this.#postgres.query<Claimed>(sql.claim, [duty, this.#owner, this.leaseMs]);
    const [claimed] = rows;
    return claimed && { duty, ...claimed };
  }

  /** Renews the lease; false when another replica has started a pass. */
  async renew({ duty, epoch }: PassClaim): Promise<boolean> {
    return (await this.#postgres.query(sql.renew, [duty, epoch, this.leaseMs])).rowCount === 1;
  }

  /** Ends a pass and records it; false, without recording anything, when another replica has started a pass. */
  async finish({ duty, epoch }: PassClaim, report: PassReport): Promise<boolean> {
    const { rowCount } = await this.#postgres.query(sql.finish, [
      duty,
      epoch,
      report.nextInMs,
      Math.round(report.durationMs),
      JSON.stringify(report.counts),
      JSON.stringify(report.problems),
      report.error ?? null,
      report.state === undefined ? null : JSON.stringify(report.state),
    ]);
    return rowCount === 1;
  }
}
