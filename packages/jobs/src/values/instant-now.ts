// The time as events carry it. In a busy process many events are made in the same millisecond, and its text is a tenth of what
// one costs to make.

let last = { ms: Number.NaN, text: '' };

/** RFC 3339 UTC with milliseconds. */
export const instantNow = (): string => instantOf(Date.now());

/** The same of a time in milliseconds since 1970, best one of just now. */
export function instantOf(ms: number): string {
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}
