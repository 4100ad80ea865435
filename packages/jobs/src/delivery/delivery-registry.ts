// The work that this process holds, by what it is and by whose job it is: the same job may be in hand twice, as work from the
// stream of events and as its own message, or as two runs.
import type { HeldWork } from './delivery.ts';

export class WorkInHand {
  readonly #byKey = new Map<string, HeldWork>();
  readonly #ofJob = new Map<string, number>();

  get(key: string): HeldWork | undefined {
    return this.#byKey.get(key);
  }

  values(): MapIterator<HeldWork> {
    return this.#byKey.values();
  }

  add(held: HeldWork): void {
    const { key, jobId } = held.work;
    if (!this.#byKey.has(key)) this.#ofJob.set(jobId, (this.#ofJob.get(jobId) ?? 0) + 1);
    this.#byKey.set(key, held);
  }

  delete({ work: { key, jobId } }: HeldWork): void {
    if (!this.#byKey.delete(key)) return;
    const left = (this.#ofJob.get(jobId) ?? 1) - 1;
    if (left === 0) this.#ofJob.delete(jobId);
    else this.#ofJob.set(jobId, left);
  }

  /** Other work of the same job. */
  besides(held: HeldWork): HeldWork[] {
    const { jobId } = held.work;
    // As good as always there is none, and all of it need not be looked through.
    if ((this.#ofJob.get(jobId) ?? 0) <= (this.#byKey.get(held.work.key) === held ? 1 : 0)) return [];
    return Array.from(this.#byKey.values()).filter((other) => other !== held && other.work.jobId === jobId);
  }
}
