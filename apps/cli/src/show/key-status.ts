// One key of keyed concurrency: its holders, its waiting queue, and the reason of the latest decision.
import type { KeyStatus } from '@trellis/contracts';
import { plain, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { duration, relative } from './times.ts';

const SHOWN_QUEUED = 20;

/** @param now milliseconds; the reference for ages */
export function showKey(status: KeyStatus, { print, style }: Terminal, now = Date.now()): void {
  print(`${style('bold', plain(status.key))}  ${plain(status.service)} / ${plain(status.type)}`);
  print('');
  const facts = [
    ['holders', String(status.active.length)],
    ['queued', String(status.queuedDepth)],
    ...(status.latestPolicyReason === undefined ? [] : [['latest reason', plain(status.latestPolicyReason)]]),
    ['stale takeovers', String(status.staleTakeoverCount)],
    ['hash', plain(status.keyHash)],
  ];
  print(columns(facts.map(([name = '', value = '']) => [style('dim', name), value])));
  if (status.active.length > 0) {
    const rows = status.active.map((slot) => [
      plain(slot.jobId),
      plain(slot.instanceId),
      relative(slot.startedAt, now),
      `${duration(slot.heartbeatAgeMs)} ago`,
      slot.stale
        ? style('red', `stale: the lease ran out ${relative(slot.leaseExpiresAt, now)}`)
        : relative(slot.leaseExpiresAt, now),
    ]);
    print('');
    print(
      columns(
        rows,
        ['HELD BY', 'WORKER', 'SINCE', 'HEARTBEAT', 'LEASE ENDS'].map((word) => style('bold', word)),
      ),
    );
  }
  if (status.queued.length > 0) {
    const rows = status.queued.slice(0, SHOWN_QUEUED).map((job) => [plain(job.jobId), relative(job.createdAt, now)]);
    print('');
    print(
      columns(
        rows,
        ['WAITING', 'CREATED'].map((word) => style('bold', word)),
      ),
    );
    if (status.queued.length > SHOWN_QUEUED) print(style('dim', `and ${status.queued.length - SHOWN_QUEUED} more`));
  }
}
