import type { HistoryEntry, HistoryReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { remarksOnHistory, showHistory } from './history-timeline.ts';

const BASE = Date.parse('2026-03-01T12:00:00.000Z');
let sequence = 0;
function entry(
  atMs: number,
  state: HistoryEntry['state'],
  event: Partial<HistoryEntry['event']>,
  more: Partial<HistoryEntry> = {},
): HistoryEntry {
  const timestamp = new Date(BASE + atMs).toISOString();
  return {
    sequence: ++sequence,
    storedAt: timestamp,
    state,
    event: {
      jobId: 'job-1',
      service: 'orders-service',
      jobType: 'charge',
      eventType: 'created',
      state,
      timestamp,
      context: { requestId: 'r', traceId: 't', traceparent: 'p' },
      tries: 0,
      ...event,
    },
    ...more,
  };
}

const history: HistoryReply = {
  id: 'job-1',
  service: 'orders-service',
  type: 'charge',
  complete: true,
  entries: [
    entry(0, 'pending', { maxTries: 3 }),
    entry(1_240, 'active', { eventType: 'started', tries: 1, instanceId: 'host-1' }),
    entry(1_300, 'retry', { eventType: 'retry', tries: 1, instanceId: 'host-1', error: 'no\nstock' }),
    entry(61_300, 'cancelled', {
      eventType: 'cancelled',
      tries: 1,
      actor: { kind: 'operator', id: 'ann' },
      reason: 'called',
    }),
    entry(
      61_290,
      'cancelled',
      { eventType: 'completed', tries: 1, instanceId: 'host-1' },
      { ignored: 'already-ended' },
    ),
  ],
};

function shown(reply: HistoryReply, columns?: number): string[] {
  const terminal = recordedTerminal(columns);
  showHistory(reply, terminal);
  return terminal.printed.join('\n').split('\n');
}

it('shows time, time since the previous event, state, who caused it, and why an event was ignored', () => {
  expect(shown(history)).toEqual([
    'job-1  orders-service / charge  2026-03-01 UTC',
    '',
    'TIME          AFTER    EVENT      STATE      ATTEMPT  WHO     DETAIL',
    '12:00:00.000           created    pending                     up to 3 attempts',
    '12:00:01.240  +1.24s   started    active     1        host-1',
    '12:00:01.300  +60ms    retry      retry      1        host-1  no stock',
    '12:01:01.300  +1m 00s  cancelled  cancelled  1        ann     called',
    '12:01:01.290  -10ms    completed  cancelled  1        host-1  ignored: already-ended',
    '5 events, 1 ignored',
  ]);
});

it('fits each event on one line of the terminal', () => {
  const long = entry(70_000, 'failed', { eventType: 'failed', tries: 2, error: 'x'.repeat(300) });
  const lines = shown({ ...history, entries: [...history.entries, long] }, 100);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  expect(lines.at(-2)?.endsWith('…')).toBe(true);
});

it('dims ignored events', () => {
  const terminal = {
    ...recordedTerminal(),
    style: (style: unknown, text: string) => (style === 'dim' ? `<${text}>` : text),
  };
  showHistory(history, terminal);
  const ignored = terminal.printed
    .join('\n')
    .split('\n')
    .find((line) => line.includes('already-ended'));
  expect(ignored).toMatch(
    /^<12:01:01.290> +<-10ms> +<completed> +<cancelled> +<1> +<host-1> +<ignored: already-ended>$/,
  );
});

it('remarks on missing events and on further pages', () => {
  expect(remarksOnHistory(history)).toEqual([]);
  expect(remarksOnHistory({ ...history, complete: false, nextAfter: 7 })).toEqual([
    expect.stringContaining('first events'),
    expect.stringContaining('--after 7'),
  ]);
});
