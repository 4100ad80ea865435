// A line of things that wait, first come first served, each for so long and no longer.

export class PatientLine<Item> {
  readonly #patienceMs: number;
  readonly #dismiss: (item: Item) => void;
  /** When each of them came, in milliseconds of the process clock. */
  readonly #items = new Map<Item, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param dismiss is told what has waited for `patienceMs` and is in the line no more */
  constructor(patienceMs: number, dismiss: (item: Item) => void) {
    this.#patienceMs = patienceMs;
    this.#dismiss = dismiss;
  }

  get size(): number {
    return this.#items.size;
  }

  /** How long the first in line has waited, in milliseconds. */
  get longestWaitMs(): number {
    for (const since of this.#items.values()) return performance.now() - since;
    return 0;
  }

  add(item: Item): void {
    this.#items.set(item, performance.now());
    this.#timer ??= setTimeout(() => this.#dismissLate(), this.#patienceMs);
  }

  /** Takes the first one out of the line. */
  shift(): Item | undefined {
    for (const item of this.#items.keys()) {
      this.#items.delete(item);
      return item;
    }
    return undefined;
  }

  /** Takes `item` out of the line; false when it is not in it. */
  delete(item: Item): boolean {
    return this.#items.delete(item);
  }

  /** Takes all out of the line. */
  clear(): Item[] {
    const items = Array.from(this.#items.keys());
    this.#items.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return items;
  }

  #dismissLate(): void {
    this.#timer = undefined;
    for (const [item, since] of this.#items) {
      const leftMs = since + this.#patienceMs - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#dismissLate(), leftMs);
        return;
      }
      this.#items.delete(item);
      this.#dismiss(item);
    }
  }
}
