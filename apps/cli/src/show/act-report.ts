// Shows which jobs an action is about to change, and afterwards the outcome of each.
import type { Job } from '@trellis/contracts';
import type { JobOutcome } from '../act/act-on-jobs.ts';
import type { Selection } from '../select/select-jobs.ts';
import { plain, shorten, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { STATE_STYLE } from './states.ts';
import { relative } from './times.ts';

const SAMPLE = 5;
const ERROR_WIDTH = 60;

const number = new Intl.NumberFormat('en-US');
export const countOfJobs = (n: number): string => `${number.format(n)} job${n === 1 ? '' : 's'}`;

/** Number of jobs per queue and state, and the first few. On standard error, because it is not the result. */
export function showSelection({ jobs, count, countAtLeast }: Selection, terminal: Terminal): void {
  const all = `${countAtLeast ? 'more than ' : ''}${countOfJobs(count)}`;
  const chosen =
    jobs.length < count || countAtLeast
      ? `${all} match; these are the oldest ${number.format(jobs.length)}`
      : `${all} match`;
  terminal.remark(`${chosen}:`);
  const groups = new Map<string, number>();
  for (const job of jobs) {
    const group = `${job.service}/${job.type} ${job.state}`;
    groups.set(group, (groups.get(group) ?? 0) + 1);
  }
  const sorted = [...groups].sort(([, a], [, b]) => b - a);
  terminal.remark(columns(sorted.map(([group, n]) => ['', number.format(n), plain(group)])));
  terminal.remark('');
  terminal.remark(columns(jobs.slice(0, SAMPLE).map((job) => ['', ...sampleOf(job)])));
  if (jobs.length > SAMPLE) terminal.remark(`  … and ${number.format(jobs.length - SAMPLE)} more`);
  terminal.remark('');
}

const sampleOf = (job: Job): string[] => [
  job.id,
  `created ${relative(job.createdAt)}`,
  shorten(plain(job.lastError ?? ''), ERROR_WIDTH),
];

/** One line per job, then the totals. */
export function showOutcomes(outcomes: JobOutcome[], { print, style }: Terminal): void {
  const rows = outcomes.map((one) => {
    if (one.outcome === 'done') {
      const known = Object.entries(STATE_STYLE).find(([state]) => state === one.state);
      return [one.id, style('green', 'done'), known ? style(known[1], one.state) : one.state];
    }
    if (one.outcome === 'failed') return [one.id, style('red', 'failed'), plain(one.error.message)];
    return [one.id, style('yellow', 'not tried'), ''];
  });
  if (rows.length > 0) {
    print(
      columns(
        rows,
        ['ID', 'OUTCOME', 'STATE OR REASON'].map((word) => style('bold', word)),
      ),
    );
  }
  print(style('dim', summaryOf(outcomes)));
}

/** `3 done, 1 failed`. */
export function summaryOf(outcomes: JobOutcome[]): string {
  const tally = tallyOf(outcomes);
  const parts = [
    `${number.format(tally.done)} done`,
    ...(tally.failed > 0 ? [`${number.format(tally.failed)} failed`] : []),
    ...(tally.notTried > 0 ? [`${number.format(tally.notTried)} not tried`] : []),
  ];
  return parts.join(', ');
}

export function tallyOf(outcomes: JobOutcome[]): { done: number; failed: number; notTried: number } {
  const of = (outcome: JobOutcome['outcome']) => outcomes.filter((one) => one.outcome === outcome).length;
  return { done: of('done'), failed: of('failed'), notTried: of('not-tried') };
}
