/** FIFO queue whose items leave it after a maximum wait. */
export class TimeoutQueue<Item> {
  readonly #maxWaitMs: number;
  readonly #expired: (item: Item) => void;
  /** Each item with the time of its arrival, in milliseconds of the process clock. */
  readonly #items = new Map<Item, number>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param maxWaitMs may be infinite
   * @param expired receives an item that waited for `maxWaitMs`; it is no longer in the queue
   */
  constructor(maxWaitMs: number, expired: (item: Item) => void) {
    this.#maxWaitMs = maxWaitMs;
    this.#expired = expired;
  }

  get size(): number {
    return this.#items.size;
  }

  /** How long the first item has waited, in milliseconds. */
  get longestWaitMs(): number {
    for (const since of this.#items.values()) return performance.now() - since;
    return 0;
  }

  add(item: Item): void {
    this.#items.set(item, performance.now());
    if (Number.isFinite(this.#maxWaitMs)) this.#timer ??= setTimeout(() => this.#expire(), this.#maxWaitMs);
  }

  /** Removes and returns the first item. */
  shift(): Item | undefined {
    for (const item of this.#items.keys()) {
      this.#items.delete(item);
      return item;
    }
    return undefined;
  }

  /** Removes `item`; false when it is not in the queue. */
  delete(item: Item): boolean {
    return this.#items.delete(item);
  }

  /** Removes and returns all items. */
  clear(): Item[] {
    const items = Array.from(this.#items.keys());
    this.#items.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return items;
  }

  #expire(): void {
    this.#timer = undefined;
    for (const [item, since] of this.#items) {
      const leftMs = since + this.#maxWaitMs - performance.now();
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#expire(), leftMs);
        return;
      }
      this.#items.delete(item);
      this.#expired(item);
    }
  }
}
