// What one entry of the bench is: what it is given, its run, and the rows that it gives back.

/** How much an entry generates; each entry reads what concerns it. */
export interface BenchSizes {
  /** Jobs of the backlogs of catch-up, memory and rebuild. */
  jobs: number;
  /** Jobs of job throughput and keyed. */
  throughputJobs: number;
  /** Times that a measurement and what is beside it are repeated in turn; the median counts. */
  rounds: number;
  /** Jobs of the table that `query` and `gateway load` read, and the large one of `query growth`. */
  tableJobs: number;
  largeTableJobs: number;
  /** Jobs that `freshness` watches. */
  freshnessJobs: number;
  /** Events of `history`. */
  events: number;
  /** Seconds of one steady load. */
  seconds: number;
}

export interface BenchContext {
  /** Says what goes on, on standard error. */
  say: (line: string) => void;
  sizes: BenchSizes;
  /** Names of the entries of this run: some measure for each other. */
  entries: ReadonlySet<string>;
  /** Versions of servers that an entry used, by name; for the report. */
  versions: Map<string, string>;
  /** A redis-server to use; else one is looked for. */
  redisServer: string | undefined;
}

export interface BenchResult {
  /** What was measured, e.g. `catch-up`. */
  row: string;
  /** Our figure and the one beside it, with their units. */
  ours: string;
  beside: string;
  /** The figure that the goal is about; undefined when it is no ratio. */
  ratio: number | undefined;
  goal: string;
  verdict: 'met' | 'missed' | 'reported' | 'not measured';
  /** Every figure behind the row, for the JSON. */
  figures: Record<string, number | string>;
}

export interface BenchEntry {
  name: string;
  measures: string;
  run: (context: BenchContext) => Promise<BenchResult[]>;
}

/** Met or missed, for a ratio that should be at least (or at most) `goal`. */
export const atLeast = (ratio: number, goal: number) => ({
  ratio,
  goal: `≥ ${goal}`,
  verdict: ratio >= goal ? ('met' as const) : ('missed' as const),
});
export const atMost = (ratio: number, goal: number) => ({
  ratio,
  goal: `≤ ${goal}`,
  verdict: ratio <= goal ? ('met' as const) : ('missed' as const),
});
/** A row without a goal. */
export const reported = { ratio: undefined, goal: '', verdict: 'reported' as const };
