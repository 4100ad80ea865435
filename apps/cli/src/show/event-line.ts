// Lifecycle events as lines of a live tail. The column widths grow with the longest cell so far.
import type { LifecycleEvent, StoredEvent } from '@trellis/contracts';
import { plain, shorten, type Terminal } from '../terminal/terminal.ts';
import { eventStyle } from './states.ts';
import { timeOfDay } from './times.ts';

const LONGEST_ID = 40;
const LONGEST_OWNER = 48;
const NARROWEST_DETAILS = 10;

/** Returns a function that formats the next event. */
export function eventLines({ style, columns }: Pick<Terminal, 'style' | 'columns'>): (stored: StoredEvent) => string {
  const widths = { id: 26, owner: 30, event: 15 };
  const fit = (column: keyof typeof widths, text: string, longest: number) => {
    widths[column] = Math.max(widths[column], Math.min(text.length, longest));
    return text.padEnd(widths[column]);
  };
  return ({ event, storedAt }) => {
    const id = fit('id', event.jobId, LONGEST_ID);
    const owner = fit('owner', `${event.service}/${event.jobType}`, LONGEST_OWNER);
    const what = event.eventType.padEnd(widths.event);
    const head = `${timeOfDay(storedAt)}  ${id}  ${owner}`;
    const room = columns === undefined ? undefined : columns - head.length - what.length - 4;
    const details = detailsOf(event);
    const shown = room === undefined ? details : shorten(details, Math.max(room, NARROWEST_DETAILS));
    return `${head}  ${style(eventStyle(event.eventType), what)}  ${shown}`.trimEnd();
  };
}

function detailsOf(event: LifecycleEvent): string {
  const { actor, tries } = event;
  const attempt = event.eventType === 'started' ? `attempt ${Math.max(tries, 1)}` : undefined;
  const by = actor?.kind === 'operator' ? `by ${actor.id ?? 'an operator'}` : undefined;
  return joined([attempt, ...whatOf(event), by, event.reason]);
}

/** The fields of the event beside attempt, actor and reason. */
export function whatOf({ progress, logs, error, maxTries, handedBack }: LifecycleEvent): (string | undefined)[] {
  const share =
    progress?.current === undefined
      ? undefined
      : [progress.current, progress.total].filter((n) => n !== undefined).join('/');
  return [
    maxTries === undefined ? undefined : `up to ${maxTries} attempts`,
    share,
    progress?.step,
    progress?.message,
    ...(logs ?? []).map((log) => `${log.level}: ${log.message}`),
    handedBack ? 'handed back' : undefined,
    error,
  ];
}

/** The parts that are present, on one line. */
export const joined = (parts: (string | undefined)[]): string =>
  parts
    .filter((part) => part !== undefined && part !== '')
    .map((part) => plain(String(part)))
    .join(' · ');
