import { expect, it } from 'vitest';
import type { BenchResult } from './bench-entry.ts';
import { asMarkdown, asTable, type Rig } from './print-results.ts';

const rig: Rig = { cpu: 'a cpu', cores: 2, memoryGiB: 24, system: 'linux', versions: { node: 'v24', nats: '2.15.1' } };
const row: BenchResult = {
  row: 'query: a|b',
  ours: 'p50 1.00 ms',
  beside: 'SQL',
  ratio: 0.456,
  goal: '≤ 1',
  verdict: 'met',
  figures: {},
};
const unmeasured: BenchResult = {
  ...row,
  row: 'other',
  beside: 'no redis-server',
  ratio: undefined,
  verdict: 'not measured',
};

it('the Markdown has one line per row, names the machine and the date, and escapes pipes', () => {
  const text = asMarkdown(rig, [row, unmeasured], new Date('2026-01-02T03:04:05Z'));
  expect(text).toContain('2026-01-02: a cpu, 2 cores, 24 GiB, linux; node v24, nats 2.15.1.');
  expect(text).toContain('| query: a\\|b | p50 1.00 ms | SQL | 0.46 | ≤ 1 | met |');
  expect(text).toContain('| other | p50 1.00 ms | no redis-server |  | ≤ 1 | not measured |');
});

it('the table shows why a row was not measured', () => {
  const text = asTable(rig, [unmeasured]);
  expect(text).toMatch(/other.*no redis-server.*not measured/);
});
