// Messages in the quarantine that this version can read become events: their rows are appended as released, which takes
// them out of the quarantine's view in the same moment.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { decodeEvent, type Intent } from '@trellis/contracts';
import { JournalBlock, type JournalStore } from '@trellis/store-clickhouse';
import type { JournalWriter } from './journal-writer.ts';

export interface ReleaseOptions {
  store: JournalStore;
  writer: JournalWriter;
  generation: number;
  limit: { rows: number; bytes: number };
  signal: AbortSignal;
}

/** Tries every message of the quarantine. @returns how many were released */
export async function releaseQuarantine(options: ReleaseOptions): Promise<number> {
  const { store, writer, generation, limit, signal } = options;
  let released = 0;
  let block = new JournalBlock(generation);
  const write = async () => {
    if (block.rows === 0) return;
    await writer.writeReleased(block);
    released += block.rows;
    block = new JournalBlock(generation);
  };
  let tried = 0;
  const everything = { first: 0, last: Number.MAX_SAFE_INTEGER, released: false };
  for await (const message of store.quarantined(generation, everything)) {
    if (signal.aborted) return released;
    const decoded = decodeEvent(message);
    if (decoded.kind === 'event') block.add(message, decoded, true);
    if (block.rows >= limit.rows || block.bytes >= limit.bytes) await write();
    if (++tried % 500 === 0) await yieldToOthers();
  }
  await write();
  return released;
}

/** The rows of a release that started and may not have finished. */
export async function releasedBlock(store: JournalStore, generation: number, intent: Intent): Promise<JournalBlock> {
  const block = new JournalBlock(generation);
  for await (const message of store.quarantined(generation, { first: intent.from, last: intent.to, released: true })) {
    const decoded = decodeEvent(message);
    if (decoded.kind === 'event') block.add(message, decoded, true);
  }
  return block;
}
