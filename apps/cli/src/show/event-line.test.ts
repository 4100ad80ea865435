import { EVENT_TYPES, type LifecycleEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { eventLines } from './event-line.ts';

const stored = (more: Partial<LifecycleEvent>) => ({
  sequence: 1,
  storedAt: '2026-03-01T12:00:00.123Z',
  event: {
    jobId: '01J9Z3V6Q4WXEHDM1T0ZP2R8KC',
    service: 'orders-service',
    jobType: 'charge',
    eventType: 'started',
    state: 'active',
    timestamp: '2026-03-01T12:00:00.000Z',
    context: { requestId: 'r', traceId: 't', traceparent: 'p' },
    tries: 2,
    ...more,
  } satisfies LifecycleEvent,
});

const HEAD = '12:00:00.123  01J9Z3V6Q4WXEHDM1T0ZP2R8KC  orders-service/charge           ';

it.for<[Partial<LifecycleEvent>, string]>([
  [{}, 'started          attempt 2'],
  [{ eventType: 'created', maxTries: 5 }, 'created          up to 5 attempts'],
  [
    { eventType: 'progress', progress: { current: 2, total: 3, step: 'pick', message: 'shelf\n7' } },
    'progress         2/3 · pick · shelf 7',
  ],
  [{ eventType: 'retry', error: 'no\tstock\u001b[2J' }, 'retry            no stock'],
  [{ eventType: 'retry', handedBack: true }, 'retry            handed back'],
  [
    { eventType: 'cancelled', actor: { kind: 'operator', id: 'ann' }, reason: 'customer called' },
    'cancelled        by ann · customer called',
  ],
  [
    { eventType: 'logged', logs: [{ timestamp: '2026-03-01T12:00:00.000Z', level: 'warn', message: 'slow' }] },
    'logged           warn: slow',
  ],
])('%j', ([more, line]) => {
  expect(eventLines(recordedTerminal())(stored(more))).toBe(HEAD + line);
});

it('has a style for every event type', () => {
  for (const eventType of EVENT_TYPES)
    expect(eventLines(recordedTerminal())(stored({ eventType }))).toContain(eventType);
});

it('widens its columns for long cells, and fits on one line of the terminal', () => {
  const line = eventLines(recordedTerminal(110));
  const long = line(stored({ jobId: 'a-rather-long-id-of-a-job-012345', error: 'x'.repeat(200) }));
  expect(long.length).toBeLessThanOrEqual(110);
  expect(long.endsWith('…')).toBe(true);
  expect(line(stored({})).indexOf('orders-service')).toBe(long.indexOf('orders-service'));
});
