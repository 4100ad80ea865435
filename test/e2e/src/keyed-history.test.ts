import type { EventType, LifecycleEvent, StoredEvent } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { proveKeyed } from './keyed-history.ts';

const at = '2026-01-01T00:00:00.000Z';
const context = { requestId: 'r', traceId: 'a'.repeat(32), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };

/** `job event token`, in stream order. */
function stream(...lines: string[]): StoredEvent[] {
  return lines.map((line, index) => {
    const [jobId = '', eventType = '', slotToken = ''] = line.split(' ');
    const concurrency = { key: 'k', keyHash: 'h', slotToken, leaseExpiresAt: at };
    const event: LifecycleEvent = {
      jobId,
      service: 's',
      jobType: 't',
      eventType: eventType as EventType,
      state: 'active',
      timestamp: '2026-01-01T00:00:01.000Z',
      context,
      tries: 1,
      concurrency,
    };
    return { sequence: index + 1, storedAt: at, event };
  });
}

const GOOD = ['a created', 'b created', 'a started x', 'a started y', 'a completed y', 'b started z', 'b stale'];

it('a correct history has no violations', () => {
  expect(proveKeyed(stream(...GOOD), 1)).toMatchObject({
    violations: [],
    jobs: 2,
    ended: { completed: 1, stale: 1 },
    open: [],
    mostActive: 1,
    attempts: 3,
  });
});

it.each([
  ['two hold the key', ['a created', 'b created', 'a started x', 'b started y'], '2 jobs hold the key'],
  ['the second starts first', ['a created', 'b created', 'b started y', 'b completed y', 'a started x'], 'admitted'],
  ['a run without its lease completes', ['a created', 'a started x', 'a started y', 'a completed x'], 'lost its lease'],
  ['a job ends twice', ['a created', 'a started x', 'a completed x', 'a stale'], 'a second end'],
  ['a job runs after its end', ['a created', 'a started x', 'a completed x', 'a started y'], 'after its completed'],
])('a violation is reported: %s', (_, lines, violation) => {
  expect(proveKeyed(stream(...lines), 1).violations.join('\n')).toContain(violation);
});
