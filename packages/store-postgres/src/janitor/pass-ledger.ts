// Which duty of the janitor is due, who works it, and what its last pass did: one row a duty. The time is the database's,
// so that replicas agree whatever their clocks say. What a duty does is the janitor's business.
import type { Queryable } from '../connection/open-postgres.ts';
import { sqlFile } from '../connection/sql-file.ts';

const sql = {
  claim: sqlFile('janitor/claim-pass'),
  renew: sqlFile('janitor/renew-pass'),
  finish: sqlFile('janitor/finish-pass'),
};

/** The right to work a duty until the lease is over, or the pass is finished. */
export interface PassClaim {
  duty: string;
  epoch: number;
  /** What the last pass left behind about where to continue; `{}` before the first. */
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
  /** Why the pass failed; undefined when it ended well. */
  error: string | undefined;
  /** Where the next pass continues; undefined leaves it as it was. */
  state: unknown;
  /** When the duty is due again. */
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

  /** Begins a pass; undefined while the duty is not due, or somebody else works it. */
  async claim(duty: string): Promise<PassClaim | undefined> {
    type Claimed = { epoch: number; state: unknown };
    const { rows } = await this.#postgres.query<Claimed>(sql.claim, [duty, this.#owner, this.leaseMs]);
    const [claimed] = rows;
    return claimed && { duty, ...claimed };
  }

  /** Lengthens the lease; false when somebody else has begun a pass. */
  async renew({ duty, epoch }: PassClaim): Promise<boolean> {
    return (await this.#postgres.query(sql.renew, [duty, epoch, this.leaseMs])).rowCount === 1;
  }

  /** Ends a pass and records it; false when somebody else has begun one, in which case nothing is recorded. */
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
