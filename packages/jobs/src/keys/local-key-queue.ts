// Work in hand whose key this very worker has taken already: it waits here for its turn, for a while, instead of being given
// back, delivered and looked at again. What a key allows is said by its record alone; this only spares asking in vain.
import type { HeldWork } from '../delivery/delivery.ts';
import { PatientLine } from '../worker/timeout-queue.ts';

interface Key {
  /** Work of the key that is lined up or begun here. */
  inTurn: number;
  /** In the order of its coming. */
  readonly waiting: Set<HeldWork>;
}

export class KeyTurns {
  readonly #maxActive: number;
  readonly #keys = new Map<string, Key>();
  readonly #line: PatientLine<HeldWork>;

  /** @param dismiss is told what has waited for `patienceMs` and waits no more */
  constructor(maxActive: number, patienceMs: number, dismiss: (held: HeldWork) => void) {
    this.#maxActive = maxActive;
    this.#line = new PatientLine(patienceMs, (held) => {
      this.#forget(held);
      dismiss(held);
    });
  }

  /** How much waits. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Whether this worker has as much work of that key in turn as may run at a time. */
  isTaken({ key }: HeldWork): boolean {
    return key !== undefined && (this.#keys.get(key.keyHash)?.inTurn ?? 0) >= this.#maxActive;
  }

  wait(held: HeldWork): void {
    if (held.key === undefined) return;
    this.#of(held.key.keyHash).waiting.add(held);
    this.#line.add(held);
  }

  /** It is this work's turn, or that is to be found out from the record. */
  enter(held: HeldWork): void {
    if (held.key === undefined || held.inTurn) return;
    held.inTurn = true;
    this.#of(held.key.keyHash).inTurn++;
  }

  /** The turn of this work is over. @returns what has waited longest for it */
  leave(held: HeldWork): HeldWork | undefined {
    if (held.key === undefined || !held.inTurn) return undefined;
    held.inTurn = false;
    const key = this.#of(held.key.keyHash);
    key.inTurn--;
    if (this.#dropIdle(held.key.keyHash, key) || key.inTurn >= this.#maxActive) return undefined;
    const [next] = key.waiting;
    if (next) this.delete(next);
    return next;
  }

  /** The work of that job, if it waits. */
  find(keyHash: string, jobId: string): HeldWork | undefined {
    for (const held of this.#keys.get(keyHash)?.waiting ?? []) if (held.work.jobId === jobId) return held;
    return undefined;
  }

  /** It waits no more; false when it did not. */
  delete(held: HeldWork): boolean {
    this.#forget(held);
    return this.#line.delete(held);
  }

  /** Takes all that waits. */
  clear(): HeldWork[] {
    const waiting = this.#line.clear();
    for (const held of waiting) this.#forget(held);
    return waiting;
  }

  #forget(held: HeldWork): void {
    if (held.key === undefined) return;
    const key = this.#of(held.key.keyHash);
    key.waiting.delete(held);
    this.#dropIdle(held.key.keyHash, key);
  }

  #of(keyHash: string): Key {
    const known = this.#keys.get(keyHash);
    if (known) return known;
    const key: Key = { inTurn: 0, waiting: new Set() };
    this.#keys.set(keyHash, key);
    return key;
  }

  #dropIdle(keyHash: string, { inTurn, waiting }: Key): boolean {
    const idle = inTurn === 0 && waiting.size === 0;
    if (idle) this.#keys.delete(keyHash);
    return idle;
  }
}
