// The runs and events of a generated history, in the selections that the answers need.
import type { EventType, StoredEvent } from '@trellis/contracts';
import { type FoldedJob, reduce } from '@trellis/lifecycle';
import { type ExpectedEnd, type ExpectedRun, expectedHistory } from './expected-runs.ts';

/** A history with its runs and ends. */
export class HistoryOutcome {
  readonly events: readonly StoredEvent[];
  readonly runs: ExpectedRun[];
  readonly ends: ExpectedEnd[];

  constructor(events: readonly StoredEvent[]) {
    this.events = events;
    ({ runs: this.runs, ends: this.ends } = expectedHistory(events));
  }

  ofType(...types: EventType[]): StoredEvent[] {
    return this.events.filter(({ event }) => types.includes(event.eventType));
  }

  /** The jobs after the events up to an instant. */
  asOf(instant: string): FoldedJob[] {
    const jobs = new Map<string, FoldedJob>();
    for (const stored of this.events) {
      const { jobId, timestamp } = stored.event;
      if (timestamp > instant) continue;
      const outcome = reduce(jobs.get(jobId), stored);
      if (outcome.kind === 'applied') jobs.set(jobId, outcome.job);
    }
    return [...jobs.values()];
  }
}
