// Reads and changes the key records of a service (docs/protocol.md#keys). A change is a compare-and-set that is repeated until
// it is known to be stored. @trellis/lifecycle decides the change.
import { JetStreamApiError } from '@nats-io/jetstream';
import { type KV, Kvm, type KvStatus } from '@nats-io/kv';
import { backoffMs, KeyedBatcher, type Logger, sleep } from '@trellis/async';
import { type KeyRecord, keyBucketName, keyRecordName, readKeyRecord } from '@trellis/contracts';
import { type Changed, type KeyIdentity, type KeyLimits, newKeyRecord } from '@trellis/lifecycle';
import { isConnected, type JobStream, whenConnected } from '@trellis/nats';
import { type CachedRecord, RecordCache } from './record-cache.ts';
import { type QueueText, queueText, textOf } from './record-text.ts';

/** A key record could not be read or changed in time, or is invalid. */
export class KeyRecordError extends Error {
  override readonly name = 'KeyRecordError';
}

export interface ChangeOptions {
  signal?: AbortSignal | undefined;
  /** Gives up after this long; default: only when `signal` aborts. */
  timeoutMs?: number;
}

/** A change with a waiting caller. */
interface Wish {
  readonly identity: KeyIdentity;
  readonly limits: KeyLimits;
  readonly decide: (record: KeyRecord, now: Date) => Changed<unknown>;
  readonly signal: AbortSignal | undefined;
  /** Of the process clock. */
  readonly endsAt: number;
  /** The last decision; valid once the record is written. */
  outcome: unknown;
  readonly resolve: (outcome: never) => void;
  readonly reject: (error: KeyRecordError) => void;
}

/** Server errors of a lost compare-and-set. */
const LOST_RACE = new Set([10071, 10164]);
const BUCKET_DIFFERS = 10058;
const REQUEST_MS = 5_000;
const NOT_FOUND = 404;

export class KeyRecords {
  readonly #bucket: string;
  readonly #kv: KV;
  readonly #direct: boolean;
  readonly #known = new RecordCache();
  readonly #stream: JobStream;
  readonly #log: Logger;
  readonly #wishes = new KeyedBatcher<Wish>((name, wishes) => this.#changeTogether(name, wishes));

  private constructor(kv: KV, status: KvStatus, stream: JobStream, log: Logger) {
    this.#kv = kv;
    this.#bucket = status.bucket;
    this.#direct = status.streamInfo.config.allow_direct;
    this.#stream = stream;
    this.#log = log;
  }

  /** The bucket of a service; created if it is missing. */
  static async open(
    stream: JobStream,
    service: string,
    { replicas = 1, log }: { replicas?: number | undefined; log: Logger },
  ): Promise<KeyRecords> {
    await whenConnected(stream.nc);
    const buckets = new Kvm(stream.js);
    const name = keyBucketName(service);
    let kv: KV;
    try {
      kv = await buckets.create(name, { history: 1, replicas });
    } catch (error) {
      // It exists with other settings, such as replicas: use it.
      if (!(error instanceof JetStreamApiError) || error.code !== BUCKET_DIFFERS) throw error;
      kv = await buckets.open(name);
    }
    return new KeyRecords(kv, await kv.status(), stream, log);
  }

  /**
   * Applies `decide` to a key record until the change is stored. `decide` may run more than once, also on a record that it has
   * already changed (after a lost reply). Changes that wait for an earlier one of their key are written together; their callers
   * resume in order.
   * @throws {KeyRecordError} when `signal` aborts, time is over or the record is unreadable
   */
  change<Outcome>(
    identity: KeyIdentity,
    limits: KeyLimits,
    decide: (record: KeyRecord, now: Date) => Changed<Outcome>,
    { signal, timeoutMs = Number.POSITIVE_INFINITY }: ChangeOptions = {},
  ): Promise<Outcome> {
    const name = keyRecordName(identity.service, identity.jobType, identity.keyHash);
    const endsAt = performance.now() + timeoutMs;
    return new Promise((resolve, reject) =>
      this.#wishes.add(name, { identity, limits, decide, signal, endsAt, outcome: undefined, resolve, reject }),
    );
  }

  /** The record of a key; undefined when it has none. A replica may answer. */
  async read(identity: KeyIdentity): Promise<KeyRecord | undefined> {
    await whenConnected(this.#stream.nc);
    const name = keyRecordName(identity.service, identity.jobType, identity.keyHash);
    return (await this.#read(name)).record;
  }

  /** Never rejects. */
  async #changeTogether(name: string, wishes: Wish[]): Promise<void> {
    let due = wishes;
    let cause: unknown;
    for (let attempt = 1; ; attempt++) {
      due = due.filter((wish) => !this.#givesUp(wish, cause));
      const [first] = due;
      if (first === undefined) return;
      const known = this.#known.take(name);
      try {
        if (!isConnected(this.#stream.nc)) await whenConnected(this.#stream.nc);
        const { record: found, revision } = known ?? (await this.#read(name));
        const now = new Date();
        const before = found ?? newKeyRecord(first.identity, first.limits, now);
        const record = decideAll(due, before, now);
        // "Nothing to change" holds only for the newest record; a stored change proves which record it was based on.
        if (record === before && known) continue;
        if (record !== before) {
          this.#known.keep(name, await this.#write(name, record, revision, known?.queue));
        }
        for (const { resolve, outcome } of due) resolve(outcome as never);
        return;
      } catch (error) {
        if (error instanceof KeyRecordError) {
          for (const { reject } of due) reject(error);
          return;
        }
        cause = error;
        const raced = error instanceof JetStreamApiError && LOST_RACE.has(error.code);
        if (raced && known) {
          this.#known.outdated(name);
          continue;
        }
        const { key } = first.identity;
        if (!raced) this.#log.warn({ error, key }, 'a key record could not be changed; trying on');
        await sleep(raced ? backoffMs(attempt, 4, 250) : backoffMs(attempt, 50, 1_000), first.signal);
      }
    }
  }

  /** Rejects a caller whose time is over. @returns whether it did */
  #givesUp({ identity, signal, endsAt, reject }: Wish, cause: unknown): boolean {
    if (!signal?.aborted && performance.now() <= endsAt && !this.#stream.nc.isClosed()) return false;
    const message = `key ${identity.key}: its record could not be changed`;
    reject(new KeyRecordError(message, { cause: cause ?? signal?.reason }));
    return true;
  }

  async #read(name: string): Promise<{ record: KeyRecord | undefined; revision: number }> {
    if (!this.#direct) {
      const entry = await this.#kv.get(name);
      return {
        record: entry?.operation === 'PUT' ? recordOf(name, entry.value) : undefined,
        revision: entry?.revision ?? 0,
      };
    }
    const subject = `$JS.API.DIRECT.GET.KV_${this.#bucket}.$KV.${this.#bucket}.${name}`;
    const { headers, data } = await this.#stream.pipe.request(subject, '', { timeoutMs: REQUEST_MS });
    if (headers?.code === NOT_FOUND) return { record: undefined, revision: 0 };
    const revision = Number(headers?.get('Nats-Sequence'));
    if (!(revision >= 1)) throw new Error(`record ${name}: ${headers?.status ?? 'no answer to a get'}`);
    // A deleted key has a last revision too, without a value.
    return { record: data.length === 0 ? undefined : recordOf(name, data), revision };
  }

  /** Stores the record if the last revision of its key, deleted or not, is `revision`. @throws {JetStreamApiError} if not */
  async #write(
    name: string,
    record: KeyRecord,
    revision: number,
    before: QueueText | undefined,
  ): Promise<CachedRecord> {
    const queue = queueText(record.queued, before);
    const text = textOf(record, queue);
    const headers = `Nats-Expected-Last-Subject-Sequence: ${revision}\r\n`;
    const subject = `$KV.${this.#bucket}.${name}`;
    const answer = await this.#stream.pipe.request(subject, text, { headers, timeoutMs: REQUEST_MS });
    const { seq, error } = answer.json<{ seq: number; error?: ConstructorParameters<typeof JetStreamApiError>[0] }>();
    if (error) throw new JetStreamApiError(error);
    return { record, queue, revision: seq, bytes: Buffer.byteLength(text) };
  }
}

/** Applies the changes in order and stores each outcome in its change. @returns the record after all of them */
function decideAll(wishes: readonly Wish[], before: KeyRecord, now: Date): KeyRecord {
  let record = before;
  for (const wish of wishes) {
    const changed = wish.decide(record, now);
    record = changed.record;
    wish.outcome = changed.outcome;
  }
  return record;
}

function recordOf(name: string, data: Uint8Array): KeyRecord {
  const read = readKeyRecord(data);
  if (read.kind === 'unreadable') throw new KeyRecordError(`the record ${name} is unreadable: ${read.reason}`);
  return read.record;
}
