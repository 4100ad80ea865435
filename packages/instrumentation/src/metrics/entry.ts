// What the catalogue says of one metric, and the bucket bounds that several share.
export interface CatalogueEntry {
  /** As OpenTelemetry has it; see `prometheusName`. */
  name: string;
  /** A `gauge` is observed: asked for only while somebody reads. */
  kind: 'counter' | 'upDownCounter' | 'histogram' | 'gauge';
  /** UCUM: `s`, or what is counted in braces. */
  unit: string;
  description: string;
  /** Label → what it holds. */
  labels: Readonly<Record<string, string>>;
  emittedBy: string;
  /** What an operator does about it. */
  whatToDo: string;
  /** Upper bounds of a histogram's buckets. */
  buckets?: readonly number[];
}

export const SHORT = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
export const LONG = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600];
export const WAITS = [0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

export const QUEUE = { service: 'service of the job', type: 'type of the job' };
