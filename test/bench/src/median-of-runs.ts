// Several runs of the bench as one: of each row the run in the middle, as it was measured.
import { readFileSync } from 'node:fs';
import type { BenchResult } from './bench-entry.ts';
import type { Rig } from './print-results.ts';

export interface Run {
  rig: Rig;
  results: BenchResult[];
}

/** A file that an earlier run has written. @throws Error when it is none */
export function readRun(file: string): Run {
  const run = JSON.parse(readFileSync(file, 'utf8')) as Partial<Run>;
  if (!run.rig || !Array.isArray(run.results)) throw new Error(`${file}: expected a file of bench/results/`);
  return run as Run;
}

/** Of each row the result in the middle by its ratio, or by its first figure where there is none; of two the lower one. */
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
