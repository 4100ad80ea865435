// The reply of Jobs.Health, one line per part.
import type { HealthCheck, HealthReply } from '@trellis/contracts';
import { plain, type Terminal } from '../terminal/terminal.ts';
import { columns } from './columns.ts';
import { HEALTH_STYLE } from './states.ts';
import { duration, relative } from './times.ts';

export function showHealth(health: HealthReply, { print, style }: Terminal): void {
  const rows = health.checks.map((check) => [
    check.name,
    style(HEALTH_STYLE[check.status], check.status),
    details(check),
  ]);
  print(
    columns(
      rows,
      ['PART', 'STATUS', 'DETAILS'].map((word) => style('bold', word)),
    ),
  );
  print('');
  print(`${health.service} is ${style(HEALTH_STYLE[health.status], health.status)}`);
}

function details({ name: _name, status: _status, ...found }: HealthCheck): string {
  const number = (field: string) => (typeof found[field] === 'number' ? found[field] : undefined);
  const latency = number('latencyMs');
  const lag = number('lagEvents');
  const seconds = number('lagSeconds') ?? 0;
  const size = number('size');
  const age = number('ageMs');
  const lastPass = typeof found.lastPassAt === 'string' ? found.lastPassAt : undefined;
  const parts = [
    typeof found.message === 'string' ? plain(found.message) : undefined,
    latency === undefined ? undefined : `answers in ${latency} ms`,
    lag === undefined
      ? undefined
      : lag === 0
        ? 'up to date'
        : `${count(lag, 'event')} behind, the oldest from ${duration(seconds * 1000)} ago`,
    lastPass === undefined ? undefined : `last pass ${relative(lastPass)}`,
    age === undefined ? undefined : `as of ${duration(age)} ago`,
    size === undefined ? undefined : size === 0 ? 'empty' : count(size, 'message'),
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
