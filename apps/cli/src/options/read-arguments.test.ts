import { expect, it } from 'vitest';
import { readSince, readStates } from './read-arguments.ts';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');

it.for([
  ['30s', '2026-03-01T11:59:30.000Z'],
  ['10m', '2026-03-01T11:50:00.000Z'],
  ['2h', '2026-03-01T10:00:00.000Z'],
  ['1d', '2026-02-28T12:00:00.000Z'],
  ['2w', '2026-02-15T12:00:00.000Z'],
  ['2026-01-31T10:30:00+01:00', '2026-01-31T09:30:00.000Z'],
])('%s is since %s', ([text, instant]) => {
  expect(readSince(text ?? '', NOW)).toBe(instant);
});

it('collects repeated and comma-separated states', () => {
  expect(readStates('dead, Failed', readStates('stale'))).toEqual(['stale', 'dead', 'failed']);
});
