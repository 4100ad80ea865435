/** Works on the items of one key in batches, one batch at a time; items that come during a batch form the next one. */
export class KeyedBatcher<Item> {
  readonly #work: (key: string, items: Item[]) => Promise<void>;
  /** Keys that are worked on now, each with its waiting items. */
  readonly #waiting = new Map<string, Item[]>();

  /** @param work never rejects */
  constructor(work: (key: string, items: Item[]) => Promise<void>) {
    this.#work = work;
  }

  add(key: string, item: Item): void {
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.push(item);
    else void this.#workOff(key, [item]);
  }

  async #workOff(key: string, first: Item[]): Promise<void> {
    for (let items: Item[] | undefined = first; items?.length; items = this.#waiting.get(key)) {
      this.#waiting.set(key, []);
      await this.#work(key, items);
    }
    this.#waiting.delete(key);
  }
}
