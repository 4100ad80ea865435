// The messages of a batch by what becomes of them: events, and what goes to quarantine because it cannot be read.
import type { Quarantined, StoredEvent, StoredMessage } from '@trellis/contracts';
import type { ReadBatch } from '../tail/tail-feed.ts';

export interface DecodedEvent {
  stored: StoredEvent;
  /** As it came, for the case that it ends in quarantine after all. */
  message: StoredMessage;
}

export interface DecodedBatch {
  /** In stream order. */
  events: DecodedEvent[];
  quarantined: Quarantined[];
  /** Odd optional fields that were left out of events: one entry each time. */
  droppedFields: string[];
}

export function sortBatch({ messages, decoded }: Pick<ReadBatch, 'messages' | 'decoded'>): DecodedBatch {
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
