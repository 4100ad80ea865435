import { expect, it } from 'vitest';
import type { BenchResult } from './bench-entry.ts';
import { medianOfRuns } from './median-of-runs.ts';

const rig = { cpu: 'a cpu', cores: 2, memoryGiB: 24, system: 'linux', versions: {} };
const result = (row: string, ours: string, ratio?: number): BenchResult => ({
  row,
  ours,
  beside: '',
  ratio,
  goal: '',
  verdict: 'reported',
  figures: {},
});

it('takes for each row the median run, by its ratio, or by its first figure if it has no ratio', () => {
  const runs = [
    [result('rate', '90 /s', 0.9), result('start', '11.5 s')],
    [result('rate', '50 /s', 0.7), result('start', '9.1 s')],
    [result('rate', '10 /s', 0.8), result('start', '10.2 s'), result('only once', '1')],
  ].map((results) => ({ rig, results }));
  expect(medianOfRuns(runs).map(({ row, ours }) => [row, ours])).toEqual([
    ['rate', '10 /s'],
    ['start', '10.2 s'],
    ['only once', '1'],
  ]);
});
