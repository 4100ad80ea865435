// The key-value buckets of keyed concurrency as the janitor uses them: a walk over all records in bounded pages, and changes
// by compare-and-set. How a record may change is decided by @trellis/lifecycle.
import { JetStreamApiCodes, JetStreamApiError, type MsgRequest } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { type KeyRecord, keyBucketName, keyRecordName, readKeyRecord } from '@trellis/contracts';
import type { Changed } from '@trellis/lifecycle';
import { type JobStream, whenConnected } from '@trellis/nats';

export interface KeyEntry {
  /** `<service>.<type>.<keyHash>` */
  name: string;
  /** Sequence in the bucket. */
  revision: number;
  /** Undefined when the value cannot be read. */
  record: KeyRecord | undefined;
  /** Why not. */
  reason: string | undefined;
}

export interface KeyPage {
  entries: KeyEntry[];
  /** Where the next page begins; undefined when this was the last. */
  next: number | undefined;
}

const BUCKET_PREFIX = `KV_${keyBucketName('')}`;
const MAX_ROUNDS = 10;
/** Answers to a conflicting write; a cluster may give either. */
const CONFLICTS: ReadonlySet<number> = new Set([
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
]);

export class KeyBuckets {
  readonly #stream: JobStream;
  readonly #buckets = new Map<string, Promise<KV>>();

  constructor(stream: JobStream) {
    this.#stream = stream;
  }

  /** The services that have a bucket. */
  async services(): Promise<string[]> {
    await whenConnected(this.#stream.nc);
    const services: string[] = [];
    for await (const name of this.#stream.jsm.streams.names()) {
      if (name.startsWith(BUCKET_PREFIX)) services.push(name.slice(BUCKET_PREFIX.length));
    }
    return services.sort();
  }

  /** Records of a service in the order in which they were last changed, from revision `from` on. */
  async page(service: string, from: number, limit: number): Promise<KeyPage> {
    await whenConnected(this.#stream.nc);
    const bucket = keyBucketName(service);
    const prefix = `$KV.${bucket}.`;
    const entries: KeyEntry[] = [];
    for (let seq = from; entries.length < limit; ) {
      const query = { seq, next_by_subj: `${prefix}>` } as MsgRequest;
      const message = await this.#stream.jsm.streams.getMessage(`KV_${bucket}`, query);
      if (!message) return { entries, next: undefined };
      seq = message.seq + 1;
      // The marker of a deleted key holds nothing.
      if (message.header?.get('KV-Operation')) continue;
      entries.push(toEntry(message.subject.slice(prefix.length), message.seq, message.data));
      if (entries.length === limit) return { entries, next: seq };
    }
    return { entries, next: undefined };
  }

  /** The record of a key; undefined when there is none. */
  async get(service: string, type: string, keyHash: string): Promise<KeyEntry | undefined> {
    const name = keyRecordName(service, type, keyHash);
    try {
      const entry = await (await this.#open(service)).get(name);
      return entry?.operation === 'PUT' ? toEntry(name, entry.revision, entry.value) : undefined;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
      throw error;
    }
  }

  /**
   * Changes a record by compare-and-set; `decide` runs again when the record has changed.
   * @returns the decision for the record that was written or needs no change; undefined when the record is gone
   */
  async change<Outcome>(
    entry: KeyEntry,
    service: string,
    decide: (record: KeyRecord) => Changed<Outcome>,
  ): Promise<Changed<Outcome> | undefined> {
    const kv = await this.#open(service);
    let { record, revision } = entry;
    for (let round = 1; round <= MAX_ROUNDS && record; round++) {
      const changed = decide(record);
      if (changed.record === record) return changed;
      try {
        await kv.update(entry.name, JSON.stringify(changed.record), revision);
        return changed;
      } catch (error) {
        if (!(error instanceof JetStreamApiError) || !CONFLICTS.has(error.code)) throw error;
      }
      const found = await kv.get(entry.name);
      const now = found?.operation === 'PUT' ? toEntry(entry.name, found.revision, found.value) : undefined;
      record = now?.record;
      revision = now?.revision ?? 0;
    }
    return undefined;
  }

  /** Purges a record unless it changed since `revision`. @returns whether it was removed */
  async prune(service: string, { name, revision }: KeyEntry): Promise<boolean> {
    const bucket = keyBucketName(service);
    // The sequence is exclusive: later revisions stay.
    const query = { filter: `$KV.${bucket}.${name}`, seq: revision + 1 };
    const { purged } = await this.#stream.jsm.streams.purge(`KV_${bucket}`, query);
    return purged > 0;
  }

  #open(service: string): Promise<KV> {
    const known = this.#buckets.get(service);
    if (known) return known;
    const opening = whenConnected(this.#stream.nc).then(() => new Kvm(this.#stream.js).open(keyBucketName(service)));
    this.#buckets.set(service, opening);
    opening.catch(() => this.#buckets.delete(service));
    return opening;
  }
}

function toEntry(name: string, revision: number, data: Uint8Array): KeyEntry {
  const read = readKeyRecord(data);
  return read.kind === 'record'
    ? { name, revision, record: read.record, reason: undefined }
    : { name, revision, record: undefined, reason: read.reason };
}
