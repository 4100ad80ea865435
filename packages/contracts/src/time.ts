// Instants on the wire: RFC 3339 in, RFC 3339 UTC with milliseconds out. An unreadable instant is an error,
// never 1970.
import { z } from 'zod';

/** Canonical, and an instant for sure: every month has 28 days. */
const USUAL = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const CANONICAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const rfc3339 = z.iso.datetime({ offset: true });

/** The instant as RFC 3339 UTC with milliseconds, or undefined when `text` is no instant between the years 1 and 9999. */
export function readInstant(text: string): string | undefined {
  if (USUAL.test(text) && !text.startsWith('0000')) return text;
  const canonical = CANONICAL.test(text);
  if (!canonical && !rfc3339.safeParse(text).success) return undefined;
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) return undefined;
  const instant = new Date(millis).toISOString();
  if (instant.length !== 24 || instant.startsWith('0000')) return undefined;
  // JavaScript reads 30 February as 2 March: a canonical text must come back as it was.
  return canonical && instant !== text ? undefined : instant;
}

/** `2026-01-31T09:30:` of the instant read last, and its milliseconds since 1970. */
let minute = '';
let minuteMillis = 0;
const MINUTE_LENGTH = 17;

/** Milliseconds since 1970, as `Date.parse` has them; quicker for canonical instants of one minute after the other. */
export function millisOf(instant: string): number {
  if (instant.length === 24 && minute !== '' && instant.startsWith(minute) && instant.endsWith('Z')) {
    const seconds = 10 * digit(instant, 17) + digit(instant, 18);
    const millis = 100 * digit(instant, 20) + 10 * digit(instant, 21) + digit(instant, 22);
    if (seconds < 60 && millis < 1_000 && instant[19] === '.') return minuteMillis + 1_000 * seconds + millis;
  }
  const millis = Date.parse(instant);
  if (USUAL.test(instant)) {
    minute = instant.slice(0, MINUTE_LENGTH);
    minuteMillis = Math.floor(millis / 60_000) * 60_000;
  }
  return millis;
}

/** NaN where there is none. */
function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 48;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

let lastMs = Number.NaN;
let lastText = '';

/** RFC 3339 UTC with milliseconds of a time in milliseconds since 1970. Neighbours often share theirs: the last one is kept. */
export function instantOf(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}

/** The present instant, RFC 3339 UTC with milliseconds. */
export const instantNow = (): string => instantOf(Date.now());

/** RFC 3339 with any offset; parsed to RFC 3339 UTC with milliseconds. */
export const Instant = z.string().transform((text, context) => {
  const instant = readInstant(text);
  if (instant !== undefined) return instant;
  context.addIssue({ code: 'custom', message: 'expected an RFC 3339 date and time, such as 2026-01-31T09:30:00.000Z' });
  return z.NEVER;
});
