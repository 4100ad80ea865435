// One tail of the stream for the reader that opened it and for others close to it: each message is fetched and parsed once for
// all of them. shared-tail.ts decides who reads from which feed.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { type Decoded, decodeEvent, type StoredMessage } from '@trellis/contracts';
import { boundYoungGeneration } from '@trellis/runtime';
import type { Reader } from './tail-reader.ts';
import { type TailBatch, type TailOptions, tailStream } from './tail-stream.ts';

/** A batch of the tail together with what its messages say. */
export interface ReadBatch extends TailBatch {
  /** One for each of `messages`. To be shared, so never changed. */
  decoded: readonly Decoded[];
}

export interface FeedOptions extends Omit<TailOptions, 'maxMessages' | 'maxBytes'> {
  maxMessages: number;
  /** Bounds of what one reader has been given and another has not. */
  window: { messages: number; bytes: number };
}

/** Half of it is what two or three batches of the tail allocate: most of that is garbage by then. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** Messages decoded without a break: other work of the process waits for them. */
const SLICE = 250;
/** Bytes of one batch; twice as many are prefetched, in four requests that each have room for the largest message. */
const BATCH_BYTES = 4 * 1024 * 1024;

export class TailFeed implements AsyncDisposable {
  readonly created: string | undefined;
  readonly owner: Reader;
  readonly #options: FeedOptions;
  readonly #readers = new Set<Reader>();
  readonly #closing = new AbortController();
  readonly #source: AsyncGenerator<TailBatch, void, undefined>;
  /** What not every reader has been given, oldest first. */
  readonly #batches: { batch: ReadBatch; bytes: number }[] = [];
  #messages = 0;
  #bytes = 0;
  #next: number;
  /** Messages in the stream after those. */
  #pending = 0;
  #pulling = false;
  #ended: { error?: unknown } | undefined;

  constructor(owner: Reader, options: FeedOptions) {
    this.owner = owner;
    this.created = options.created;
    this.#options = options;
    this.#next = owner.next;
    this.#readers.add(owner);
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    this.#source = tailStream({ ...options, maxBytes: BATCH_BYTES, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end({});
    this.#closing.abort();
    await this.#source.return();
  }

  get hasListeners(): boolean {
    return this.#readers.size > 1;
  }

  /** Whether `reader` would miss nothing here, and not have to wait long for what it has not had. */
  offers(reader: Reader, created: string | undefined): boolean {
    if (this.#ended || this.#isFull || this.created !== created) return false;
    const first = this.#batches[0]?.batch.first ?? this.#next;
    return reader.next >= first && reader.next <= this.#next + this.#options.maxMessages;
  }

  join(reader: Reader): void {
    this.#readers.add(reader);
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
    this.#forget();
  }

  /**
   * The next batch for `reader`; undefined when it must continue elsewhere, or was stopped.
   * @throws to the owner: what the tail throws
   */
  async batchFor(reader: Reader): Promise<ReadBatch | undefined> {
    while (!reader.signal.aborted && this.#readers.has(reader)) {
      const waiting = this.#batches.filter(({ batch: { last } }) => last >= reader.next);
      if (waiting.length > 0) {
        const batch = joined(
          waiting.map(({ batch }) => batch),
          this.#options.maxMessages,
        );
        const rest = batch.first < reader.next ? from(batch, reader.next) : batch;
        reader.next = batch.last + 1;
        this.#forget();
        return rest;
      }
      if (this.#ended) {
        if (reader === this.owner && 'error' in this.#ended) throw this.#ended.error;
        return undefined;
      }
      if (this.#isFull && !(await this.#room(reader))) return undefined;
      if (!this.#isFull) {
        void this.#pull();
        await reader.wait();
      }
    }
    return undefined;
  }

  get #isFull(): boolean {
    const { messages, bytes } = this.#options.window;
    return this.#messages >= messages || this.#bytes >= bytes;
  }

  /** Waits for the readers behind; false when `reader` must leave because they are too slow. */
  async #room(reader: Reader): Promise<boolean> {
    while (this.#isFull && !this.#ended && !reader.signal.aborted) {
      // Whoever is near the end of the stream is to stay there.
      if (this.#pending >= this.#options.maxMessages && (await reader.waitForOthers())) continue;
      if (reader !== this.owner) return false;
      for (const other of this.#readers) if (other !== reader) this.leave(other);
    }
    return true;
  }

  async #pull(): Promise<void> {
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      const { value, done } = await this.#source.next();
      if (done) return this.#end({});
      const batch = { ...value, decoded: await decodeAll(value.messages) };
      const bytes = value.messages.reduce((sum, { data }) => sum + data.length, 0);
      this.#batches.push({ batch, bytes });
      this.#messages += value.messages.length;
      this.#bytes += bytes;
      this.#next = value.last + 1;
      this.#pending = value.pending;
      boundYoungGeneration(YOUNG_BYTES);
      this.#wakeAll();
    } catch (error) {
      this.#end({ error });
    } finally {
      this.#pulling = false;
    }
  }

  /** Lets go of what all have been given. */
  #forget(): void {
    const behind = Math.min(...[...this.#readers].map(({ next }) => next));
    for (let [oldest] = this.#batches; oldest && oldest.batch.last < behind; [oldest] = this.#batches) {
      this.#batches.shift();
      this.#messages -= oldest.batch.messages.length;
      this.#bytes -= oldest.bytes;
    }
    this.#wakeAll();
  }

  #end(ended: { error?: unknown }): void {
    this.#ended ??= ended;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const reader of this.#readers) reader.wake();
  }
}

/**
 * Joins the batches that wait for a reader, up to `maxMessages`: small batches taken one by one would let a reader fall
 * further behind.
 */
function joined(waiting: readonly ReadBatch[], maxMessages: number): ReadBatch {
  const taken: ReadBatch[] = [];
  let size = 0;
  for (const batch of waiting) {
    size += batch.messages.length;
    if (taken.length > 0 && size > maxMessages) break;
    taken.push(batch);
  }
  const [first] = taken;
  const last = taken.at(-1);
  if (!first || !last) throw new Error('nothing waits');
  const left = waiting.slice(taken.length);
  const isOne = first === last;
  return {
    ...last,
    first: first.first,
    messages: isOne ? first.messages : taken.flatMap(({ messages }) => messages),
    decoded: isOne ? first.decoded : taken.flatMap(({ decoded }) => decoded),
    pending: left.reduce((sum, { messages }) => sum + messages.length, (left.at(-1) ?? last).pending),
  };
}

/** The part of a batch from `first` on. */
function from(batch: ReadBatch, first: number): ReadBatch {
  const found = batch.messages.findIndex(({ sequence }) => sequence >= first);
  const at = found < 0 ? batch.messages.length : found;
  return { ...batch, first, messages: batch.messages.slice(at), decoded: batch.decoded.slice(at) };
}

async function decodeAll(messages: readonly StoredMessage[]): Promise<Decoded[]> {
  const decoded: Decoded[] = [];
  for (const message of messages) {
    if (decoded.length % SLICE === SLICE - 1) await yieldToOthers();
    decoded.push(decodeEvent(message));
  }
  return decoded;
}
