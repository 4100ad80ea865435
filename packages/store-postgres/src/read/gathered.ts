// Answers single questions by the batch: those that come while earlier ones are under way share the next statement.
// What is asked, and how, is the caller's business.

export interface GatherOptions {
  /** Batches under way at the same time. */
  atOnce: number;
  /** Keys of one batch at most. */
  maxKeys: number;
}

/** A batch always begins after its questions were asked: no answer is older than its question. */
export class Gathered<Key, Answer> {
  readonly #ask: (keys: Key[]) => Promise<Map<Key, Answer>>;
  readonly #options: GatherOptions;
  readonly #waiting = new Map<Key, PromiseWithResolvers<Answer | undefined>>();
  #running = 0;

  /** @param ask answers all keys that have an answer; what it throws, all of them get */
  constructor(ask: (keys: Key[]) => Promise<Map<Key, Answer>>, options: GatherOptions) {
    this.#ask = ask;
    this.#options = options;
  }

  load(key: Key): Promise<Answer | undefined> {
    const known = this.#waiting.get(key);
    if (known) return known.promise;
    const asked = Promise.withResolvers<Answer | undefined>();
    this.#waiting.set(key, asked);
    // Not at once: many questions come with one packet, which is read to its end before.
    if (this.#waiting.size === 1) queueMicrotask(() => this.#start());
    return asked.promise;
  }

  #start(): void {
    while (this.#running < this.#options.atOnce && this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, this.#options.maxKeys);
      for (const [key] of batch) this.#waiting.delete(key);
      this.#running++;
      void this.#answer(batch);
    }
  }

  async #answer(batch: [Key, PromiseWithResolvers<Answer | undefined>][]): Promise<void> {
    try {
      const answers = await this.#ask(batch.map(([key]) => key));
      for (const [key, asked] of batch) asked.resolve(answers.get(key));
    } catch (error) {
      for (const [, asked] of batch) asked.reject(error);
    } finally {
      this.#running--;
      this.#start();
    }
  }
}
