// Parses arguments of the command line. Errors name the argument, what was expected and the nearest valid word.
import { JOB_STATES, type JobState, MAX_PAGE, readInstant } from '@trellis/contracts';
import { InvalidArgumentError } from 'commander';
import { closest, distance } from 'fastest-levenshtein';

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `10m`, `2h`, `1d` before now, or an RFC 3339 time; as RFC 3339. */
export function readSince(text: string, now = Date.now()): string {
  const [, amount, unit] = /^(\d{1,6}) ?(s|m|h|d|w)$/.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) {
    return new Date(now - Number(amount) * UNITS_MS[unit as keyof typeof UNITS_MS]).toISOString();
  }
  const instant = readInstant(text);
  if (instant !== undefined) return instant;
  throw new InvalidArgumentError('expected an age such as 30s, 10m, 2h, 1d or a time such as 2026-01-31T09:30:00Z.');
}

/** One state, or several separated by commas, appended to `before`. */
export function readStates(text: string, before: JobState[] = []): JobState[] {
  const states = text.split(',').map((word) => word.trim().toLowerCase());
  return [...before, ...states.map(readState)];
}

function readState(word: string): JobState {
  const known = JOB_STATES.find((state) => state === word);
  if (known) return known;
  const near = closest(word, [...JOB_STATES]);
  const hint = distance(word, near) <= 3 ? ` Did you mean ${near}?` : '';
  throw new InvalidArgumentError(`"${word}" is not a state.${hint} Expected one of: ${JOB_STATES.join(', ')}.`);
}

export function readLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return limit;
  throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_PAGE}.`);
}

export function readOffset(text: string): number {
  const offset = Number(text);
  if (Number.isInteger(offset) && offset >= 0) return offset;
  throw new InvalidArgumentError('expected a whole number of at least 0.');
}
