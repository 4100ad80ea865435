// Gives every pipeline of this process the stream from its own checkpoint. Pipelines that are close to each other share one
// tail. A pipeline that falls behind gets a tail of its own until it has caught up.

import type { Logger } from '@trellis/async';
import type { JobStream } from '@trellis/nats';
import { type FeedOptions, type ReadBatch, TailFeed } from './tail-feed.ts';
import { Reader } from './tail-reader.ts';

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
  /** How far readers of one tail may be apart; default 2,000 messages, 4 MB. */
  window?: FeedOptions['window'];
  /** A reader far from the stream's end waits for others at most this long within twice this time; default 15,000. */
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
   * Yields batches in stream order, forever; ends when `signal` aborts. See `tailStream`, whose errors are thrown here.
   * `ack` shows the progress where the reader has a tail of its own, else it does nothing.
   */
  async *follow(options: FollowOptions): AsyncGenerator<ReadBatch, void, undefined> {
    const reader = new Reader(options.from, options.signal, this.#options.patienceMs ?? PATIENCE_MS);
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
    const { stream, log, maxMessages, lingerMs, idleCheckMs, window = WINDOW } = this.#options;
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
      ...(created === undefined ? {} : { created }),
      ...(idleCheckMs === undefined ? {} : { idleCheckMs }),
    });
    this.#feeds.add(feed);
    try {
      for (let batch = await feed.batchFor(reader); batch; batch = await feed.batchFor(reader)) {
        yield batch;
        if (batch.pending >= maxMessages) await this.#waitForNewcomers(feed);
        // Two tails that have come together are one too many.
        if (!feed.hasListeners && this.#offered(reader, follow)) return;
      }
    } finally {
      this.#feeds.delete(feed);
    }
  }

  /** Lets readers that start a little behind catch up with this tail while there is much to read. */
  async #waitForNewcomers({ owner, created }: TailFeed): Promise<void> {
    const isNewcomer = (other: TailFeed) =>
      other.created === created &&
      performance.now() - other.owner.since < NEWCOMER_MS &&
      other.owner.next < owner.next &&
      owner.next - other.owner.next <= NEAR_MESSAGES;
    while (this.#feeds.values().some(isNewcomer) && !owner.signal.aborted) {
      if (!(await owner.waitForOthers(LOOK_MS))) return;
    }
  }
}

const PATIENCE_MS = 15_000;
/** Pipelines of one process start within seconds of each other: one has tables to create. */
const NEWCOMER_MS = 10_000;
const LOOK_MS = 20;
const NEAR_MESSAGES = 200_000;
const WINDOW = { messages: 2_000, bytes: 4 * 1024 * 1024 };
