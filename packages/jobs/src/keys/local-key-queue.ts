// Deliveries whose key is busy in this worker wait here for a while, instead of being given back and delivered again. Only the
// key's record decides; this queue saves requests that would fail.

import { TimeoutQueue } from '@trellis/async';
import type { Delivery } from '../delivery/delivery.ts';

interface Key {
  /** Deliveries of the key that are queued to start, or started, here. */
  active: number;
  /** In the order of arrival. */
  readonly waiting: Set<Delivery>;
}

export class LocalKeyQueue {
  readonly #maxActive: number;
  readonly #keys = new Map<string, Key>();
  readonly #queue: TimeoutQueue<Delivery>;

  /** @param dismiss receives a delivery that has waited for `patienceMs`; it no longer waits */
  constructor(maxActive: number, patienceMs: number, dismiss: (delivery: Delivery) => void) {
    this.#maxActive = maxActive;
    this.#queue = new TimeoutQueue(patienceMs, (delivery) => {
      this.#forget(delivery);
      dismiss(delivery);
    });
  }

  /** The number of waiting deliveries. */
  get waiting(): number {
    return this.#queue.size;
  }

  /** Whether `maxActive` deliveries of that key are active here. */
  isFull({ key }: Delivery): boolean {
    return key !== undefined && (this.#keys.get(key.keyHash)?.active ?? 0) >= this.#maxActive;
  }

  add(delivery: Delivery): void {
    if (delivery.key === undefined) return;
    this.#keyOf(delivery.key.keyHash).waiting.add(delivery);
    this.#queue.add(delivery);
  }

  /** Counts the delivery as active. */
  enter(delivery: Delivery): void {
    if (delivery.key === undefined || delivery.inKeyQueue) return;
    delivery.inKeyQueue = true;
    this.#keyOf(delivery.key.keyHash).active++;
  }

  /** The delivery is no longer active. @returns the delivery that has waited longest for its key */
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

  /** The delivery of that job, if it waits. */
  find(keyHash: string, jobId: string): Delivery | undefined {
    for (const delivery of this.#keys.get(keyHash)?.waiting ?? []) if (delivery.work.jobId === jobId) return delivery;
    return undefined;
  }

  /** Removes a waiting delivery; false when it does not wait. */
  delete(delivery: Delivery): boolean {
    this.#forget(delivery);
    return this.#queue.delete(delivery);
  }

  /** Removes and returns all waiting deliveries. */
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
