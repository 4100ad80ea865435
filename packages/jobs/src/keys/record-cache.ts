// The key records as this process last wrote them. While no other process works on a key, a change is a single request; the
// compare-and-set detects changes by others.
import type { KeyRecord } from '@trellis/contracts';
import type { QueueText } from './record-text.ts';

export interface CachedRecord {
  record: KeyRecord;
  queue: QueueText;
  revision: number;
  bytes: number;
}

const MAX_RECORDS = 5_000;
/** Of all records together. */
const MAX_BYTES = 32 * 1_024 * 1_024;
/** How long a key that others have changed is not cached, in milliseconds. */
const SHARED_MS = 10_000;

export class RecordCache {
  /** Least recently used first. */
  readonly #records = new Map<string, CachedRecord>();
  /** Until when, in milliseconds of the process clock. */
  readonly #shared = new Map<string, number>();
  #bytes = 0;

  /** Removes and returns the cached record; keep it again when it has proved current. */
  take(name: string): CachedRecord | undefined {
    const known = this.#records.get(name);
    if (known === undefined) return undefined;
    this.#records.delete(name);
    this.#bytes -= known.bytes;
    return known;
  }

  keep(name: string, known: CachedRecord): void {
    if (this.#isShared(name)) return;
    this.take(name);
    this.#records.set(name, known);
    this.#bytes += known.bytes;
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= MAX_RECORDS && this.#bytes <= MAX_BYTES) return;
      this.take(oldest);
    }
  }

  /** Others have changed the key's record. */
  outdated(name: string): void {
    this.take(name);
    this.#shared.delete(name);
    this.#shared.set(name, performance.now() + SHARED_MS);
    for (const oldest of this.#shared.keys()) {
      if (this.#shared.size <= MAX_RECORDS) return;
      this.#shared.delete(oldest);
    }
  }

  #isShared(name: string): boolean {
    const until = this.#shared.get(name);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#shared.delete(name);
    return false;
  }
}
