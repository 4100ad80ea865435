// Batch loader: keys requested while earlier batches run, or in the same turn of the event loop, share the next batch.

export interface BatchLoaderOptions {
  /** Batches that run at the same time, at most. */
  maxConcurrent: number;
  /** Keys of one batch, at most. One request with more keys is a batch of its own. */
  maxKeys: number;
  /**
   * Defers the first batch, so that requests of the same moment share it: `queueMicrotask` (default) waits for the rest
   * of one network packet, `setImmediate` for the rest of the turn of the event loop.
   */
  defer?: (start: () => void) => void;
}

interface Request<Key, Value> {
  keys: readonly Key[];
  resolve(values: (Value | undefined)[]): void;
  reject(error: unknown): void;
}

/** A batch always starts after its requests came in: no value is older than its request. */
export class BatchLoader<Key, Value> {
  readonly #loadAll: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>;
  readonly #options: BatchLoaderOptions;
  readonly #defer: (start: () => void) => void;
  #waiting: Request<Key, Value>[] = [];
  #running = 0;

  /** @param loadAll returns the keys that have a value; when it throws, every request of the batch rejects */
  constructor(loadAll: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>, options: BatchLoaderOptions) {
    this.#loadAll = loadAll;
    this.#options = options;
    this.#defer = options.defer ?? queueMicrotask;
  }

  /** The value of one key; undefined when it has none. */
  async load(key: Key): Promise<Value | undefined> {
    const [value] = await this.loadMany([key]);
    return value;
  }

  /** The values of `keys` in their order, all of one batch. */
  loadMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    const { promise, resolve, reject } = Promise.withResolvers<(Value | undefined)[]>();
    this.#waiting.push({ keys, resolve, reject });
    if (this.#waiting.length === 1) this.#defer(() => this.#start());
    return promise;
  }

  #start(): void {
    while (this.#running < this.#options.maxConcurrent && this.#waiting.length > 0) {
      const keys = new Set<Key>();
      let taken = 0;
      for (const request of this.#waiting) {
        if (taken > 0 && keys.size + request.keys.length > this.#options.maxKeys) break;
        for (const key of request.keys) keys.add(key);
        taken++;
      }
      this.#running++;
      void this.#run(this.#waiting.splice(0, taken), [...keys]);
    }
  }

  async #run(requests: Request<Key, Value>[], keys: Key[]): Promise<void> {
    try {
      const values = await this.#loadAll(keys);
      for (const { keys: wanted, resolve } of requests) resolve(wanted.map((key) => values.get(key)));
    } catch (error) {
      for (const { reject } of requests) reject(error);
    } finally {
      this.#running--;
      this.#start();
    }
  }
}
