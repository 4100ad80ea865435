// Formats instants and durations for people.

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

/** `0.3ms`, `340ms`, `1.24s`, `3m 07s`, `2h 05m`: a duration to compare with others. */
export function span(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))}ms`;
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 59_995) return `${(ms / 1_000).toFixed(2)}s`;
  const seconds = Math.round(ms / 1_000);
  const padded = (part: number) => String(part).padStart(2, '0');
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${padded(seconds % 60)}s`;
  const hours = Math.floor(seconds / 3_600);
  const minutes = `${padded(Math.floor((seconds % 3_600) / 60))}m`;
  return hours < 24 ? `${hours}h ${minutes}` : `${Math.floor(hours / 24)}d ${padded(hours % 24)}h`;
}

/** `12s ago`, `in 3m`, `now`. */
export function relative(instant: string, now = Date.now()): string {
  const ms = now - Date.parse(instant);
  if (Math.abs(ms) < 1_000) return 'now';
  return ms > 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

/** `2026-01-31 09:30:00.120 UTC (3m ago)`. */
export const absolute = (instant: string, now = Date.now()): string =>
  `${instant.replace('T', ' ').replace(/\.000Z$|Z$/, '')} UTC (${relative(instant, now)})`;

/** Time of day in UTC with milliseconds, for the lines of a log. */
export const timeOfDay = (instant: string): string => instant.slice(11, 23);
