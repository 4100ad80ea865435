// The types of a bench entry: its input, its run and the rows that it returns.

/** Sizes of the entries; each entry reads its own. */
export interface BenchSizes {
  /** Jobs of the backlogs of catch-up, memory and rebuild. */
  jobs: number;
  /** Jobs of job throughput and keyed. */
  throughputJobs: number;
  /** How often a measurement and its comparison are repeated in alternation; the median counts. */
  rounds: number;
  /** Jobs in the table that `query` and `gateway load` read, and in the large one of `query growth`. */
  tableJobs: number;
  largeTableJobs: number;
  /** Jobs that `freshness` watches. */
  freshnessJobs: number;
  /** Events of `history`. */
  events: number;
  /** Duration of one steady load. */
  seconds: number;
}

export interface BenchContext {
  /** Reports progress on standard error. */
  say: (line: string) => void;
  sizes: BenchSizes;
  /** Names of the entries of this run: some share measurements. */
  entries: ReadonlySet<string>;
  /** Versions of the servers that the entry used, by name; for the report. */
  versions: Map<string, string>;
  /** The redis-server to use. Default: search for one. */
  redisServer: string | undefined;
}

export interface BenchResult {
  /** Name of the measurement, such as `catch-up`. */
  row: string;
  /** Our figure and the one that it is compared with, with their units. */
  ours: string;
  beside: string;
  /** The ratio that the goal is about; undefined if the goal is not a ratio. */
  ratio: number | undefined;
  goal: string;
  verdict: 'met' | 'missed' | 'reported' | 'not measured';
  /** Every figure of the row, for the JSON. */
  figures: Record<string, number | string>;
}

export interface BenchEntry {
  name: string;
  measures: string;
  run: (context: BenchContext) => Promise<BenchResult[]>;
}

/** The verdict for a ratio that should be at least (or at most) `goal`. */
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
