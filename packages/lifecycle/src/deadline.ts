// Deadlines of jobs. When a deadline is enforced is the janitor's business.

/** Whether a deadline (RFC 3339) is over at `now` (milliseconds since 1970). */
export const isOverdue = (deadline: string | undefined, now: number): boolean =>
  deadline !== undefined && Date.parse(deadline) < now;

/**
 * The deadline of a job that runs again: as long after its new origin as the old deadline was after the old origin, so
 * that a replay does not expire immediately.
 * @param from `deadline` and `originAt` (RFC 3339) of the run before
 * @param originMs when the new run begins, in milliseconds since 1970
 * @returns RFC 3339 UTC; undefined when there was none, or when it would be no date before the year 10000
 */
export function deadlineOfRerun(
  { deadline, originAt }: { deadline: string | undefined; originAt: string },
  originMs: number,
): string | undefined {
  if (deadline === undefined) return undefined;
  const moved = new Date(originMs + Date.parse(deadline) - Date.parse(originAt));
  return Number.isNaN(moved.getTime()) || moved.getUTCFullYear() > 9999 ? undefined : moved.toISOString();
}
