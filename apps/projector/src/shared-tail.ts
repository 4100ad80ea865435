// Gives every pipeline of this process the stream from its own position on. Pipelines that are near each other share one
// tail; one that falls behind, or that another would have to wait for, gets a tail of its own until it has caught up.
import type { JobStream, Logger } from '@trellis/runtime';
import { type FeedOptions, type ReadBatch, Reader, TailFeed } from './tail-feed.ts';

export type { ReadBatch } from './tail-feed.ts';

export interface SharedTailOptions {
  stream: JobStream;
  log: Logger;
  /** Messages of one batch, at most. */
  maxMessages: number;
  /** Wait for more after the first message of a batch while the batch is small and nothing is pending. */
  lingerMs: number;
  /** How often an idle tail checks that it misses nothing; default 5,000. */
  idleCheckMs?: number | undefined;
  /** How far readers of one tail may be apart; default 8,000 messages, 8 MB. */
  window?: FeedOptions['window'];
  /** How long a reader waits for another that does not move; default 5,000. */
  patienceMs?: number;
}

export interface FollowOptions {
  /** Durable name of the tail, where the reader has its own. Shows how far its reader is. */
  consumer: string;
  /** First wanted stream sequence. */
  from: number;
  /** Creation time of the stream that `from` belongs to; default: the stream that is there now. */
  created: string | undefined;
  signal: AbortSignal;
}

export class SharedTail {
  readonly #options: SharedTailOptions;
  readonly #feeds = new Set<TailFeed>();

  constructor(options: SharedTailOptions) {
    this.#options = options;
  }

  /** Messages of one batch, at most. */
  get maxMessages(): number {
    return this.#options.maxMessages;
  }

  /**
   * Yields batches in stream order, for ever; ends when `signal` aborts. See `tailStream`, whose errors are thrown here.
   * `ack` shows the progress where the reader has a tail of its own, else it does nothing.
   */
  async *follow(options: FollowOptions): AsyncGenerator<ReadBatch, void, undefined> {
    const reader = new Reader(options.from, options.signal);
    while (!options.signal.aborted) {
      const feed = this.#offered(reader, options);
      yield* feed ? this.#listen(feed, reader) : this.#lead(reader, options);
    }
  }

  #offered(reader: Reader, { created }: FollowOptions): TailFeed | undefined {
    for (const feed of this.#feeds) if (feed.owner !== reader && feed.offers(reader, created)) return feed;
    return undefined;
  }

  async *#listen(feed: TailFeed, reader: Reader): AsyncGenerator<ReadBatch, void, undefined> {
    feed.join(reader);
    try {
      for (let batch = await feed.batchFor(reader); batch; batch = await feed.batchFor(reader)) {
        yield { ...batch, ack: () => undefined };
      }
    } finally {
      feed.leave(reader);
    }
  }

  async *#lead(reader: Reader, follow: FollowOptions): AsyncGenerator<ReadBatch, void, undefined> {
    const { stream, log, maxMessages, lingerMs, idleCheckMs, window = WINDOW, patienceMs = 5_000 } = this.#options;
    const { consumer, created, signal } = follow;
    await using feed = new TailFeed(reader, {
      stream,
      log,
      consumer,
      from: reader.next,
      signal,
      maxMessages,
      lingerMs,
      window,
      patienceMs,
      ...(created === undefined ? {} : { created }),
      ...(idleCheckMs === undefined ? {} : { idleCheckMs }),
    });
    this.#feeds.add(feed);
    try {
      for (let batch = await feed.batchFor(reader); batch; batch = await feed.batchFor(reader)) {
        yield batch;
        // Two tails that have come together are one too many.
        if (!feed.hasListeners && this.#offered(reader, follow)) return;
      }
    } finally {
      this.#feeds.delete(feed);
    }
  }
}

const WINDOW = { messages: 8_000, bytes: 8 * 1024 * 1024 };
