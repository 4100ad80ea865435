// The deliveries that this worker holds, by work and by job. One job may have two: one from the event stream and one from its
// own message, or two runs.
import type { Delivery } from './delivery.ts';

export class DeliveryRegistry {
  readonly #byKey = new Map<string, Delivery>();
  readonly #countOfJob = new Map<string, number>();

  get(key: string): Delivery | undefined {
    return this.#byKey.get(key);
  }

  values(): MapIterator<Delivery> {
    return this.#byKey.values();
  }

  add(delivery: Delivery): void {
    const { key, jobId } = delivery.work;
    if (!this.#byKey.has(key)) this.#countOfJob.set(jobId, (this.#countOfJob.get(jobId) ?? 0) + 1);
    this.#byKey.set(key, delivery);
  }

  delete({ work: { key, jobId } }: Delivery): void {
    if (!this.#byKey.delete(key)) return;
    const left = (this.#countOfJob.get(jobId) ?? 1) - 1;
    if (left === 0) this.#countOfJob.delete(jobId);
    else this.#countOfJob.set(jobId, left);
  }

  /** Other deliveries of the same job. */
  othersOfJob(delivery: Delivery): Delivery[] {
    const { jobId } = delivery.work;
    // Almost always there is none: no need to scan all.
    if ((this.#countOfJob.get(jobId) ?? 0) <= (this.#byKey.get(delivery.work.key) === delivery ? 1 : 0)) return [];
    return Array.from(this.#byKey.values()).filter((other) => other !== delivery && other.work.jobId === jobId);
  }
}
