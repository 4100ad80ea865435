// What concerns the same name is done one piece after the other in this process, in the order of asking; what was asked for
// meanwhile is done together.

export class LinePerName<Item> {
  readonly #work: (name: string, items: Item[]) => Promise<void>;
  /** Of each name that is worked on: what waits. */
  readonly #waiting = new Map<string, Item[]>();

  /** @param work never rejects */
  constructor(work: (name: string, items: Item[]) => Promise<void>) {
    this.#work = work;
  }

  add(name: string, item: Item): void {
    const waiting = this.#waiting.get(name);
    if (waiting) waiting.push(item);
    else void this.#workOff(name, [item]);
  }

  async #workOff(name: string, first: Item[]): Promise<void> {
    for (let items: Item[] | undefined = first; items?.length; items = this.#waiting.get(name)) {
      this.#waiting.set(name, []);
      await this.#work(name, items);
    }
    this.#waiting.delete(name);
  }
}
