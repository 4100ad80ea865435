// What the janitor decides about the streams and the projection as wholes: what may be removed, and whether work still
// reaches the queue. Pure: the time is passed in.
import type { JobState } from '@trellis/contracts';
import { isEnded } from '@trellis/lifecycle';
import type { JanitorRow, ProjectedUpTo } from '@trellis/store-postgres';

export interface StreamFacts {
  /** Creation time, RFC 3339 UTC. */
  created: string;
  firstSequence: number;
  lastSequence: number;
}

/** Whether the rows are those of this stream: neither of one before it, nor of a later copy of it. */
export function isProjectionOf(projected: ProjectedUpTo | undefined, stream: StreamFacts): projected is ProjectedUpTo {
  return projected?.streamCreated === stream.created && projected.position <= stream.lastSequence;
}

/** How long ended jobs stay, in milliseconds, by state; a state that is left out stays forever. */
export type Retention = Partial<Record<JobState, number>>;

/** Jobs created after this cannot be due; undefined when nothing ever is. */
export function retentionCutoff(retention: Retention, now: number): string | undefined {
  const limits = Object.values(retention);
  return limits.length === 0 ? undefined : new Date(now - Math.min(...limits)).toISOString();
}

/** Whether a job has been in its ended state for longer than that state is kept. */
export function isRetentionOver(
  row: Pick<JanitorRow, 'state' | 'updatedAt'>,
  retention: Retention,
  now: number,
): boolean {
  const limit = retention[row.state];
  return limit !== undefined && isEnded(row.state) && now - Date.parse(row.updatedAt) > limit;
}

export interface PurgeFacts {
  /** The job's last message in the stream. */
  last: { sequence: number; storedAt: string };
  /** Up to here every pipeline has read the stream. */
  passedUpTo: number;
  duplicateWindowMs: number;
}

/** Whether a job's events may be removed now, or what they wait for. */
export function mayPurge(
  { last, passedUpTo, duplicateWindowMs }: PurgeFacts,
  now: number,
): 'yes' | 'pipelines' | 'window' {
  if (last.sequence > passedUpTo) return 'pipelines';
  // Within the window the server would take a new job of the same id for a duplicate and store nothing.
  return now - Date.parse(last.storedAt) > duplicateWindowMs + 1_000 ? 'yes' : 'window';
}

export interface QueueFacts {
  jobsLastSequence: number;
  /**
   * The origin of the message that came last into the work queue, where that message is still there; what was taken out
   * since tells nothing.
   */
  lastArrived: { originSequence: number } | undefined;
  /** The first `created` or `retried` of JOBS after that. */
  firstMissing: { sequence: number; storedAt: string } | undefined;
}

export type QueueVerdict =
  | { kind: 'in-step' }
  /** An origin older than the grace has not arrived. */
  | { kind: 'behind'; missing: number; since: string; arrived: number }
  /** The queue has what JOBS does not: JOBS was restored from an older copy, and what comes now is never copied. */
  | { kind: 'ahead'; jobsLastSequence: number; arrived: number };

/** Compares the ends of JOBS and of the work queue. The server's own `lag` says 0 also when thousands are missing. */
export function judgeQueue(facts: QueueFacts, now: number, graceMs: number): QueueVerdict {
  const { jobsLastSequence, lastArrived, firstMissing } = facts;
  if (!lastArrived) return { kind: 'in-step' };
  const arrived = lastArrived.originSequence;
  if (arrived > jobsLastSequence) return { kind: 'ahead', jobsLastSequence, arrived };
  if (!firstMissing || now - Date.parse(firstMissing.storedAt) <= graceMs) return { kind: 'in-step' };
  return { kind: 'behind', missing: firstMissing.sequence, since: firstMissing.storedAt, arrived };
}

/** Whether the cure may be tried (again): a queue that was recreated needs time to be seen in step. */
export const mayRecreate = (recreatedAt: string | undefined, now: number, graceMs: number): boolean =>
  recreatedAt === undefined || now - Date.parse(recreatedAt) > 2 * graceMs;
