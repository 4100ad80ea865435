// The content of one transaction: events of one or more batches of the tail, folded as they arrive. Events are kept only
// while it is a single batch, so that a large one needs no more memory than the jobs that it changes.
import type { Quarantined } from '@trellis/contracts';
import type { ReadBatch } from '../tail/tail-feed.ts';
import type { DecodedBatch } from './decode-batch.ts';
import { BatchFold, type FoldInput } from './fold-batch.ts';

/** One batch of the tail, and what was folded of it. */
export interface Part {
  read: ReadBatch;
  decoded: DecodedBatch;
  input: FoldInput;
}

export class EventBatch {
  readonly fold = new BatchFold();
  /** Stream sequences that it passes. */
  readonly first: number;
  last: number;
  lastStoredAt: string | undefined;
  /** Messages that the stream still has after it. */
  pending = 0;
  messages = 0;
  /** Bytes of the messages: more than what is kept of them. */
  bytes = 0;
  readonly unreadable: Quarantined[] = [];
  /** Odd optional fields that were left out of events: one entry each time. */
  readonly droppedFields: string[] = [];
  /** Sequences of the events, where they are asked for. */
  readonly sequences: number[] = [];
  /** All that it is made of, while that is one batch of the tail. */
  only: Part | undefined;
  #ack: () => void = () => undefined;

  constructor(first: number) {
    this.first = first;
    this.last = first - 1;
  }

  add(part: Part, keepSequences: boolean): void {
    const { read, decoded, input } = part;
    this.only = this.last < this.first ? part : undefined;
    this.fold.add(input);
    this.last = read.last;
    this.lastStoredAt = read.lastStoredAt;
    this.pending = read.pending;
    this.#ack = read.ack;
    this.messages += read.messages.length;
    for (const { data } of read.messages) this.bytes += data.length;
    this.unreadable.push(...decoded.quarantined);
    this.droppedFields.push(...decoded.droppedFields);
    if (keepSequences) for (const { stored } of decoded.events) this.sequences.push(stored.sequence);
  }

  ack(): void {
    this.#ack();
  }
}
