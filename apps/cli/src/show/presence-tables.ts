// Services and workers as tables, with a remark if presence is old.
import type { ServiceEntry } from '@trellis/contracts';
import { plain, type Style, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { duration, relative } from './times.ts';

/** Presence older than this gets a remark. */
const STALE_MS = 30_000;
const SHOWN_JOBS = 3;

interface Presence {
  presenceAsOf: string | undefined;
}

/** @param now milliseconds; the reference for ages */
export function showServices(
  { entries, presenceAsOf }: Presence & { entries: ServiceEntry[] },
  terminal: Terminal,
  now = Date.now(),
): void {
  const { print, style } = terminal;
  if (entries.length === 0) print('no services are known');
  else {
    const rows = entries.map((entry) => [
      plain(entry.name),
      entry.healthy ? style('green', 'healthy') : style('red', 'unhealthy'),
      ...(['live', 'late', 'gone'] as const).map((status) => countOf(entry, status)),
      text(entry.openJobs),
      typeof entry.lastSeenAt === 'string' ? relative(entry.lastSeenAt, now) : 'never',
    ]);
    print(
      columns(
        rows,
        ['SERVICE', 'HEALTH', 'LIVE', 'LATE', 'GONE', 'OPEN JOBS', 'LAST SEEN'].map((word) => style('bold', word)),
      ),
    );
  }
  remarkAge(presenceAsOf, terminal, now);
}

/** @param now milliseconds; the reference for ages */
export function showWorkers(
  { workers, hidden, presenceAsOf }: Presence & { workers: ServiceEntry['workers']; hidden: number },
  terminal: Terminal,
  now = Date.now(),
): void {
  const { print, style } = terminal;
  if (workers.length === 0) print('no workers are here');
  else {
    const rows = workers.map((worker) => [
      plain(worker.service),
      plain(worker.jobType),
      plain(worker.instanceId),
      style(STATUS_STYLE[String(worker.status)] ?? 'white', text(worker.status)),
      relative(worker.timestamp, now),
      text(worker.concurrency),
      plain(text(worker.version)),
      workingOn(worker),
    ]);
    const heading = ['SERVICE', 'TYPE', 'INSTANCE', 'STATUS', 'LAST SEEN', 'CONCURRENCY', 'VERSION', 'WORKING ON'];
    print(
      columns(
        rows,
        heading.map((word) => style('bold', word)),
      ),
    );
  }
  if (hidden > 0) print(style('dim', `${hidden} gone (--gone shows them)`));
  remarkAge(presenceAsOf, terminal, now);
}

const STATUS_STYLE: Record<string, Style> = { live: 'green', late: 'yellow', gone: 'red' };

function remarkAge(presenceAsOf: string | undefined, { remark }: Terminal, now: number): void {
  if (presenceAsOf === undefined) {
    remark('no presence has been recorded yet: is the heartbeat aggregator running?');
    return;
  }
  const ageMs = now - Date.parse(presenceAsOf);
  if (ageMs > STALE_MS) remark(`presence is ${duration(ageMs)} old: is the heartbeat aggregator running?`);
}

function workingOn({ activeJobs, activeJobCount }: ServiceEntry['workers'][number]): string {
  const total = typeof activeJobCount === 'number' ? activeJobCount : activeJobs?.length;
  if (total === undefined) return '';
  const ids = (activeJobs ?? []).slice(0, SHOWN_JOBS).map(plain);
  const more = total - ids.length;
  if (ids.length === 0) return total === 0 ? '' : `${total} jobs`;
  return more > 0 ? `${ids.join(' ')} and ${more} more` : ids.join(' ');
}

function countOf({ workerCounts, workers }: ServiceEntry, status: string): string {
  const counts = workerCounts as Record<string, number> | undefined;
  return text(counts?.[status] ?? workers.filter((worker) => worker.status === status).length);
}

const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value));
