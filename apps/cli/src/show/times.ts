// Points in time and lengths of time, as people read them.

const STEPS: [unit: string, ms: number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** `340ms`, `12s`, `3m`, `2h`, `5d`: the largest unit that fits. */
export function duration(ms: number): string {
  for (const [unit, length] of STEPS) if (ms >= length) return `${Math.floor(ms / length)}${unit}`;
  return `${Math.max(0, Math.round(ms))}ms`;
}

/** `12s ago`, `in 3m`, `now`. */
export function relative(instant: string, now = Date.now()): string {
  const ms = now - Date.parse(instant);
  if (Math.abs(ms) < 1_000) return 'now';
  return ms > 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

/** `2026-01-31 09:30:00.120` in UTC, followed by how long ago that is. */
export const absolute = (instant: string, now = Date.now()): string =>
  `${instant.replace('T', ' ').replace(/\.000Z$|Z$/, '')} UTC (${relative(instant, now)})`;

/** Time of day in UTC with milliseconds, for lines that follow one another. */
export const timeOfDay = (instant: string): string => instant.slice(11, 23);
