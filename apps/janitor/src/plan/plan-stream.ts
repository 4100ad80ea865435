// What the janitor decides about the streams and the projection as a whole: what may be removed, and whether work messages
// still arrive. Pure: the time is passed in.
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

/** How long ended jobs stay, in milliseconds, by state; a missing state stays forever. */
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
  // Within the duplicate window the server would drop a new job of the same id.
  return now - Date.parse(last.storedAt) > duplicateWindowMs + 1_000 ? 'yes' : 'window';
}

export interface QueueFacts {
  jobsLastSequence: number;
  /**
   * The origin of the last message that arrived in JOBS_WORK, where that message is still there.
   */
  lastArrived: { originSequence: number } | undefined;
  /** The first `created` or `retried` of JOBS after that. */
  firstMissing: { sequence: number; storedAt: string } | undefined;
}

export type QueueVerdict =
  | { kind: 'in-step' }
  /** An origin older than the grace has not arrived. */
  | { kind: 'behind'; missing: number; since: string; arrived: number }
  /** JOBS_WORK has what JOBS does not: JOBS was restored from an older copy, and new events are not copied. */
  | { kind: 'ahead'; jobsLastSequence: number; arrived: number };

/** Compares the ends of JOBS and JOBS_WORK. The server's own `lag` is 0 even when thousands are missing. */
export function judgeQueue(facts: QueueFacts, now: number, graceMs: number): QueueVerdict {
  const { jobsLastSequence, lastArrived, firstMissing } = facts;
  if (!lastArrived) return { kind: 'in-step' };
  const arrived = lastArrived.originSequence;
  if (arrived > jobsLastSequence) return { kind: 'ahead', jobsLastSequence, arrived };
  if (!firstMissing || now - Date.parse(firstMissing.storedAt) <= graceMs) return { kind: 'in-step' };
  return { kind: 'behind', missing: firstMissing.sequence, since: firstMissing.storedAt, arrived };
}

/** Whether JOBS_WORK may be recreated (again): a recreated one needs time to catch up. */
export const mayRecreate = (recreatedAt: string | undefined, now: number, graceMs: number): boolean =>
  recreatedAt === undefined || now - Date.parse(recreatedAt) > 2 * graceMs;
