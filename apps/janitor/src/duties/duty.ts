// What a duty of the janitor is: a name, and what one pass of it receives and returns.
import type { Logger } from '@trellis/async';
import type { PassProblem } from '@trellis/store-postgres';

export const DUTY_NAMES = [
  'deadlines',
  'advisories',
  'stale-rows',
  'retention',
  'stranded-work',
  'lost-jobs',
  'key-places',
] as const;

type DutyName = (typeof DUTY_NAMES)[number];

export type Counts = Record<string, number>;

/** The input of one pass. */
export interface Pass {
  /** The state that the last pass returned; `{}` at first. */
  state: unknown;
  /** Aborts when the process stops or the lease is lost: end soon, with what is done so far. */
  signal: AbortSignal;
  log: Logger;
}

export interface PassResult {
  counts: Counts;
  /** Problems that an operator should know. */
  problems?: PassProblem[];
  /** Where the next pass continues, as JSON; left out: as before. */
  state?: unknown;
  /** There is more to do: the next pass follows immediately. */
  more?: boolean;
}

export interface Duty {
  name: DutyName;
  run(pass: Pass): Promise<PassResult>;
}
