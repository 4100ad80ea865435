// The rows of one insert. Encodes and compresses them as they are added; a retry sends the same bytes.
import type { Decoded, Quarantined, StoredMessage } from '@trellis/contracts';
import { writeJournalRow } from './journal-row.ts';
import { RowBinaryWriter } from './row-binary.ts';

export class JournalBlock {
  readonly generation: number;
  rows = 0;
  /** Number of quarantined messages, and the first of them. */
  quarantined = 0;
  firstQuarantined: Quarantined | undefined;
  /** First and last stream sequence; 0 while empty. */
  from = 0;
  to = 0;
  /** When the stream stored the first and the last message. */
  fromStoredAt = '';
  toStoredAt = '';
  readonly #out = new RowBinaryWriter();

  constructor(generation: number) {
    this.generation = generation;
  }

  /** Bytes encoded so far, before compression. */
  get bytes(): number {
    return this.#out.bytes;
  }

  /** Appends one message; sequences must increase. */
  add(message: StoredMessage, decoded: Decoded, released = false): void {
    writeJournalRow(this.#out, { generation: this.generation, message, decoded, released });
    if (this.rows === 0) {
      this.from = message.sequence;
      this.fromStoredAt = message.storedAt;
    }
    this.rows += 1;
    if (decoded.kind === 'quarantined') {
      this.quarantined += 1;
      this.firstQuarantined ??= decoded.quarantined;
    }
    this.to = message.sequence;
    this.toStoredAt = message.storedAt;
  }

  /** The encoded rows, in order, as zstd frames. */
  frames(): Buffer[] {
    return this.#out.frames();
  }
}
