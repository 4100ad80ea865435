// The events of one job as a table: time, time since the previous event, new state, who caused it.
import type { HistoryEntry, HistoryReply } from '@trellis/contracts';
import { plain, shorten, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { joined, whatOf } from './event-line.ts';
import { eventStyle, STATE_STYLE } from './states.ts';
import { span, timeOfDay } from './times.ts';

const HEADING = ['TIME', 'AFTER', 'EVENT', 'STATE', 'ATTEMPT', 'WHO', 'DETAIL'];
const NARROWEST_DETAIL = 20;

/** @param page entries in the order in which they are shown */
export function showHistory(page: HistoryReply, terminal: Terminal): void {
  const { print, style } = terminal;
  const { entries } = page;
  const [first] = entries;
  const day = first === undefined ? '' : `  ${first.event.timestamp.slice(0, 10)} UTC`;
  print(`${style('bold', plain(page.id))}  ${plain(page.service)} / ${plain(page.type)}${style('dim', day)}`);
  print('');
  if (entries.length > 0) {
    const rows = entries.map((entry, at) => cells(entry, entries[at - 1]));
    const fitted = fitLast(rows, terminal).map((row, at) => styled(row, entries[at] as HistoryEntry, terminal));
    print(
      columns(
        fitted,
        HEADING.map((word) => style('bold', word)),
      ),
    );
  }
  const ignored = entries.filter((entry) => entry.ignored !== undefined).length;
  print(
    style('dim', `${entries.length} event${entries.length === 1 ? '' : 's'}${ignored ? `, ${ignored} ignored` : ''}`),
  );
}

/** Remarks on what the reply does not contain. */
export function remarksOnHistory({ complete, nextAfter }: HistoryReply): string[] {
  const remarks: string[] = [];
  if (!complete) remarks.push("the job's first events are neither in the stream nor in the history any more");
  if (nextAfter !== undefined) remarks.push(`there is more: --after ${nextAfter}`);
  return remarks;
}

function cells({ event, state, ignored, omitted }: HistoryEntry, before: HistoryEntry | undefined): string[] {
  const after = before === undefined ? '' : Date.parse(event.timestamp) - Date.parse(before.event.timestamp);
  const attempt = event.tries > 0 ? String(event.tries) : '';
  const left = omitted && `left out: ${omitted.join(', ')}`;
  return [
    timeOfDay(event.timestamp),
    after === '' ? '' : `${after < 0 ? '-' : '+'}${span(Math.abs(after))}`,
    plain(event.eventType),
    state,
    attempt,
    whoOf(event),
    joined([ignored === undefined ? undefined : `ignored: ${ignored}`, ...whatOf(event), event.reason, left]),
  ];
}

/** Who caused the event: the operator, the janitor or the worker. */
function whoOf({ actor, instanceId }: HistoryEntry['event']): string {
  if (actor?.kind === 'operator') return plain(actor.id ?? 'operator');
  return plain(instanceId ?? actor?.id ?? actor?.kind ?? '');
}

function styled(row: string[], { event, state, ignored }: HistoryEntry, { style }: Terminal): string[] {
  if (ignored !== undefined) return row.map((cell) => style('dim', cell));
  const [time = '', after = '', type = '', ...rest] = row;
  return [
    style('dim', time),
    after,
    style(eventStyle(event.eventType), type),
    style(STATE_STYLE[state], state),
    ...rest.slice(1),
  ];
}

/** Cuts the last column so that each row fits on one line of the terminal. */
function fitLast(rows: string[][], { columns: width }: Terminal): string[][] {
  if (width === undefined) return rows;
  const last = HEADING.length - 1;
  const taken = HEADING.slice(0, last).map((word, at) =>
    Math.max(word.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  const room = Math.max(width - taken.reduce((sum, column) => sum + column + 2, 0), NARROWEST_DETAIL);
  return rows.map((row) => row.with(last, shorten(row[last] ?? '', room)));
}
