// Reads the messages of a batch: events, and what goes to quarantine because it cannot be read.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { decodeEvent, type Quarantined, type StoredEvent, type StoredMessage } from '@trellis/contracts';

export interface DecodedEvent {
  stored: StoredEvent;
  /** As it came, for the case that it ends in quarantine after all. */
  message: StoredMessage;
}

export interface DecodedBatch {
  /** In stream order. */
  events: DecodedEvent[];
  quarantined: Quarantined[];
  /** Odd optional fields that were left out of events: how often each. */
  droppedFields: Map<string, number>;
}

/** Decoded without a break; the other work of the process waits for so many. */
const SLICE = 250;

export async function decodeBatch(messages: readonly StoredMessage[]): Promise<DecodedBatch> {
  const batch: DecodedBatch = { events: [], quarantined: [], droppedFields: new Map() };
  for (const [index, message] of messages.entries()) {
    if (index % SLICE === SLICE - 1) await yieldToOthers();
    const decoded = decodeEvent(message);
    if (decoded.kind === 'quarantined') {
      batch.quarantined.push(decoded.quarantined);
      continue;
    }
    batch.events.push({ stored: decoded.stored, message });
    for (const field of decoded.droppedFields)
      batch.droppedFields.set(field, (batch.droppedFields.get(field) ?? 0) + 1);
  }
  return batch;
}
