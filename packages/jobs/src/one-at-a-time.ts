// Lets what concerns the same name run one after the other in this process, in the order of asking.

export class OneAtATime {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `task` when every earlier task of that name has ended, well or not. */
  async run<Result>(name: string, task: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(name);
    const result = before === undefined ? task() : before.then(task);
    const tail = result.catch(() => undefined);
    this.#tails.set(name, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    }
  }
}
