// Work held whose key this worker has taken already: it waits here for its turn, for a while, instead of being given
// back, delivered and looked at again. What a key allows is said by its record alone; this only spares asking in vain.

import { TimeoutQueue } from '@trellis/async';
import type { Delivery } from '../delivery/delivery.ts';

interface Key {
  /** Work of the key that is lined up or started here. */
  active: number;
  /** In the order of its coming. */
  readonly waiting: Set<Delivery>;
}

export class LocalKeyQueue {
  readonly #maxActive: number;
  readonly #keys = new Map<string, Key>();
  readonly #queue: TimeoutQueue<Delivery>;

  /** @param dismiss is told what has waited for `patienceMs` and waits no more */
  constructor(maxActive: number, patienceMs: number, dismiss: (delivery: Delivery) => void) {
    this.#maxActive = maxActive;
    this.#queue = new TimeoutQueue(patienceMs, (delivery) => {
      this.#forget(delivery);
      dismiss(delivery);
    });
  }

  /** How much waits. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether this worker has as much work of that key in turn as may run at a time. */
  isFull({ key }: Delivery): boolean {
    return key !== undefined && (this.#keys.get(key.keyHash)?.active ?? 0) >= this.#maxActive;
  }

  add(delivery: Delivery): void {
    if (delivery.key === undefined) return;
    this.#keyOf(delivery.key.keyHash).waiting.add(delivery);
    this.#queue.add(delivery);
  }

  /** It is this work's turn, or that is to be found out from the record. */
  enter(delivery: Delivery): void {
    if (delivery.key === undefined || delivery.inKeyQueue) return;
    delivery.inKeyQueue = true;
    this.#keyOf(delivery.key.keyHash).active++;
  }

  /** The turn of this work is over. @returns what has waited longest for it */
  leave(delivery: Delivery): Delivery | undefined {
    if (delivery.key === undefined || !delivery.inKeyQueue) return undefined;
    delivery.inKeyQueue = false;
    const key = this.#keyOf(delivery.key.keyHash);
    key.active--;
    if (this.#dropIdle(delivery.key.keyHash, key) || key.active >= this.#maxActive) return undefined;
    const [next] = key.waiting;
    if (next) this.delete(next);
    return next;
  }

  /** The work of that job, if it waits. */
  find(keyHash: string, jobId: string): Delivery | undefined {
    for (const delivery of this.#keys.get(keyHash)?.waiting ?? []) if (delivery.work.jobId === jobId) return delivery;
    return undefined;
  }

  /** It waits no more; false when it did not. */
  delete(delivery: Delivery): boolean {
    this.#forget(delivery);
    return this.#queue.delete(delivery);
  }

  /** Takes all that waits. */
  clear(): Delivery[] {
    const waiting = this.#queue.clear();
    for (const delivery of waiting) this.#forget(delivery);
    return waiting;
  }

  #forget(delivery: Delivery): void {
    if (delivery.key === undefined) return;
    const key = this.#keyOf(delivery.key.keyHash);
    key.waiting.delete(delivery);
    this.#dropIdle(delivery.key.keyHash, key);
  }

  #keyOf(keyHash: string): Key {
    const known = this.#keys.get(keyHash);
    if (known) return known;
    const key: Key = { active: 0, waiting: new Set() };
    this.#keys.set(keyHash, key);
    return key;
  }

  #dropIdle(keyHash: string, { active, waiting }: Key): boolean {
    const idle = active === 0 && waiting.size === 0;
    if (idle) this.#keys.delete(keyHash);
    return idle;
  }
}
