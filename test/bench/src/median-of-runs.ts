// Combines several runs of the bench: for each row the result of the median run, unchanged.
import { readFileSync } from 'node:fs';
import type { BenchResult } from './bench-entry.ts';
import type { Rig } from './print-results.ts';

export interface Run {
  rig: Rig;
  results: BenchResult[];
}

/** Reads the file of an earlier run. @throws Error if it is not such a file */
export function readRun(file: string): Run {
  const run = JSON.parse(readFileSync(file, 'utf8')) as Partial<Run>;
  if (!run.rig || !Array.isArray(run.results)) throw new Error(`${file}: expected a file of bench/results/`);
  return run as Run;
}

/** For each row the median result by its ratio, or by its first figure if it has no ratio. Of two results the lower one. */
export function medianOfRuns(runs: readonly Run[]): BenchResult[] {
  const rows = Map.groupBy(
    runs.flatMap(({ results }) => results),
    ({ row }) => row,
  );
  return [...rows.values()].flatMap((measured) => {
    const sorted = measured.toSorted((a, b) => sizeOf(a) - sizeOf(b));
    const middle = sorted[Math.floor((sorted.length - 1) / 2)];
    return middle ? [middle] : [];
  });
}

const sizeOf = ({ ratio, ours }: BenchResult): number => ratio ?? Number(/\d+(\.\d+)?/.exec(ours)?.[0] ?? 0);
