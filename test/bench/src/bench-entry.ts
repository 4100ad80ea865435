// What one entry of the bench is: its goal, its run, and the figures that it gives back.

export interface BenchContext {
  /** Says what goes on, on standard error. */
  say: (line: string) => void;
  /** Jobs to generate. */
  jobs: number;
}

export interface BenchResult {
  /** What was measured, e.g. `catch-up`. */
  row: string;
  /** Our figure and the one beside it, with their units. */
  ours: string;
  beside: string;
  /** ours ÷ beside, the figure that the goal is about; undefined when the row is reported only. */
  ratio: number | undefined;
  goal: string;
  verdict: 'met' | 'missed' | 'reported';
  /** Every figure behind the row, for the JSON. */
  figures: Record<string, number | string>;
}

export interface BenchEntry {
  name: string;
  measures: string;
  run: (context: BenchContext) => Promise<BenchResult[]>;
}
