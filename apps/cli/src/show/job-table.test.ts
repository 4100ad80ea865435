import type { Job, ListReply } from '@trellis/contracts';
import { expect, it } from 'vitest';
import { recordedTerminal } from '../testing/recorded-terminal.ts';
import { showJobTable } from './job-table.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const job = (id: string, more: Partial<Job> = {}): Job => ({
  id,
  service: 'orders-service',
  type: 'charge-payment',
  state: 'dead',
  context: { requestId: 'r', traceId: 't', traceparent: 'p' },
  payload: {},
  createdAt: '2026-03-01T11:00:00.000Z',
  updatedAt: '2026-03-01T11:59:48.000Z',
  tries: 5,
  maxTries: 5,
  ...more,
});
const page = (entries: Job[], more: Partial<ListReply> = {}): ListReply => ({
  entries,
  count: entries.length,
  offset: 0,
  limit: 50,
  ...more,
});

function shown(reply: ListReply, columns?: number): string[] {
  const terminal = recordedTerminal(columns);
  showJobTable(reply, terminal, NOW);
  return terminal.printed.join('\n').split('\n');
}

it('aligns its columns', () => {
  const asked = { state: 'active', cancelRequestedAt: '2026-03-01T11:59:59.000Z' } as const;
  expect(shown(page([job('01A'), job('01ABCDEF', asked)]))).toEqual([
    'ID        SERVICE         TYPE            STATE                  TRIES  CREATED  UPDATED  ERROR',
    '01A       orders-service  charge-payment  dead                   5/5    1h ago   12s ago',
    '01ABCDEF  orders-service  charge-payment  active (cancel asked)  5/5    1h ago   12s ago',
    '2 of 2',
  ]);
});

it('cuts the error so that each job fits on one line of the terminal', () => {
  const lines = shown(page([job('01A', { lastError: `first\nsecond ${'x'.repeat(500)}` })]), 120);
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/first second x+…$/);
  expect(lines[1]?.length).toBeLessThanOrEqual(120);
  expect(shown(page([job('01A', { lastError: 'x'.repeat(500) })]))[1]).toMatch(/x{500}$/);
});

it.for<[Partial<ListReply>, string]>([
  [{ count: 1234, nextOffset: 1, nextCursor: 'abc' }, '1 of 1,234 (next page: --cursor abc)'],
  [{ count: 1234, offset: 50, nextOffset: 51 }, '51–51 of 1,234 (next page: --offset 51)'],
  [
    { count: 10_000, countAtLeast: true, nextOffset: 1, nextCursor: 'x' },
    '1 of more than 10,000 (next page: --cursor x)',
  ],
  [{ count: 51, offset: 50 }, '51–51 of 51'],
])('says what is left: %j', ([more, footer]) => {
  expect(shown(page([job('01A')], more)).at(-1)).toBe(footer);
});

it('distinguishes an empty result from an empty page', () => {
  expect(shown(page([]))).toEqual(['no jobs match']);
  expect(shown(page([], { count: 3, offset: 50 }))).toEqual(['nothing here: 3 match in all']);
});

it('shows a state that this version does not know', () => {
  expect(shown(page([job('01A', { state: 'paused' as Job['state'] })])).join()).toContain('paused');
});
