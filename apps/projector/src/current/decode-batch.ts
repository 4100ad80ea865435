// Sorts the messages of a batch: events, and messages that go to the quarantine because they cannot be read.
import type { Quarantined, StoredEvent, StoredMessage } from '@trellis/contracts';
import type { ReadBatch } from '../tail/tail-feed.ts';

export interface DecodedEvent {
  stored: StoredEvent;
  /** The original message, in case that it goes to the quarantine after all. */
  message: StoredMessage;
}

export interface DecodedBatch {
  /** In stream order. */
  events: DecodedEvent[];
  quarantined: Quarantined[];
  /** Odd optional fields that were left out of events: one entry each time. */
  droppedFields: string[];
}

export function partitionBatch({ messages, decoded }: Pick<ReadBatch, 'messages' | 'decoded'>): DecodedBatch {
  const batch: DecodedBatch = { events: [], quarantined: [], droppedFields: [] };
  let index = 0;
  for (const message of messages) {
    const one = decoded[index++];
    if (one?.kind === 'event') {
      batch.events.push({ stored: one.stored, message });
      if (one.droppedFields.length > 0) batch.droppedFields.push(...one.droppedFields);
    } else if (one) batch.quarantined.push(one.quarantined);
  }
  return batch;
}
