// A page of jobs as a table, with a footer: position, total, next page.
import type { Job, ListReply } from '@trellis/contracts';
import { plain, shorten, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { STATE_STYLE } from './states.ts';
import { relative } from './times.ts';

const HEADING = ['ID', 'SERVICE', 'TYPE', 'STATE', 'TRIES', 'CREATED', 'UPDATED', 'ERROR'];
const NARROWEST_ERROR = 20;

const number = new Intl.NumberFormat('en-US');

/** @param now milliseconds; the reference for ages */
export function showJobTable(page: ListReply, terminal: Terminal, now = Date.now()): void {
  const { entries } = page;
  if (entries.length > 0) {
    const rows = entries.map((job) => cells(job, terminal, now));
    terminal.print(
      columns(
        fitLast(rows, terminal),
        HEADING.map((word) => terminal.style('bold', word)),
      ),
    );
  }
  terminal.print(terminal.style('dim', footer(page)));
}

function cells(job: Job, { style }: Terminal, now: number): string[] {
  const state =
    style(STATE_STYLE[job.state] ?? 'white', job.state) +
    (job.cancelRequestedAt && job.state === 'active' ? ' (cancel asked)' : '');
  return [
    job.id,
    job.service,
    job.type,
    state,
    `${job.tries}/${job.maxTries}`,
    relative(job.createdAt, now),
    relative(job.updatedAt, now),
    plain(job.lastError ?? ''),
  ];
}

/** Cuts the error so that each row fits on one line of the terminal. */
function fitLast(rows: string[][], { columns: width }: Terminal): string[][] {
  if (width === undefined) return rows;
  const last = HEADING.length - 1;
  const plainRows = [HEADING, ...rows.map((row) => row.map(plain))];
  const others = HEADING.slice(0, last).reduce(
    (sum, _, i) => sum + 2 + Math.max(...plainRows.map((row) => row[i]?.length ?? 0)),
    0,
  );
  const room = Math.max(width - others, NARROWEST_ERROR);
  return rows.map((row) => row.with(last, shorten(row[last] ?? '', room)));
}

function footer({ entries, count, countAtLeast, offset, nextOffset, nextCursor }: ListReply): string {
  const all = `${countAtLeast ? 'more than ' : ''}${number.format(count)}`;
  if (entries.length === 0) return count === 0 ? 'no jobs match' : `nothing here: ${all} match in all`;
  const shown =
    offset === 0
      ? number.format(entries.length)
      : `${number.format(offset + 1)}–${number.format(offset + entries.length)}`;
  if (nextOffset === undefined) return `${shown} of ${all}`;
  const next = nextCursor === undefined ? `--offset ${nextOffset}` : `--cursor ${nextCursor}`;
  return `${shown} of ${all} (next page: ${next})`;
}
