// Latencies of many operations, and the figures that rows show of them.
import { createHistogram } from 'node:perf_hooks';

export interface LatencyFigures {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export class Latencies {
  // Microseconds: the histogram only accepts whole numbers of at least 1.
  readonly #micros = createHistogram();

  add(ms: number): void {
    this.#micros.record(Math.max(1, Math.round(ms * 1_000)));
  }

  get figures(): LatencyFigures {
    const ms = (micros: number) => Math.round(micros) / 1_000;
    return {
      count: this.#micros.count,
      p50Ms: ms(this.#micros.percentile(50)),
      p99Ms: ms(this.#micros.percentile(99)),
      maxMs: ms(this.#micros.max),
    };
  }
}

/** Calls `work` for 0 … count - 1, `inFlight` at a time, and times each call. */
export async function timedInLanes(
  count: number,
  inFlight: number,
  work: (index: number) => Promise<unknown>,
): Promise<{ ms: number; latencies: LatencyFigures }> {
  const latencies = new Latencies();
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      const from = performance.now();
      await work(index);
      latencies.add(performance.now() - from);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, lane));
  return { ms: performance.now() - started, latencies: latencies.figures };
}

/** The median; for an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('there are no values');
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2;
}

/** `12.3 k/s` or `345 /s`. */
export function rate(count: number, ms: number): string {
  const perSecond = (count / ms) * 1_000;
  return perSecond >= 10_000 ? `${(perSecond / 1_000).toFixed(1)} k/s` : `${Math.round(perSecond)} /s`;
}
