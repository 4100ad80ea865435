// The right to write the history: taken, kept and given back by compare-and-set on the pipeline's record. Whoever has lost
// it finds out at the next change and stops. What the record means is pipeline-record.ts.
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { type Logger, sleep } from '@trellis/async';
import { decodeRecord, encodeRecord, NOTHING_WRITTEN, type PipelineRecord } from './pipeline-record.ts';

/** Somebody else writes now, or it is not known any more whether we may. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export interface LeaseOptions {
  kv: KV;
  key: string;
  /** Unique for the process: one that takes its own lease again does not wait for it to run out. */
  owner: string;
  leaseMs: number;
  signal: AbortSignal;
  log: Logger;
  /** Called once when another owner has to be waited for. */
  standby?: () => void;
}

type Change = Partial<Omit<PipelineRecord, 'owner' | 'epoch' | 'leaseUntil'>>;

export class HistoryLease {
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  readonly #closed = new AbortController();
  #record: PipelineRecord;
  #revision: number;
  #changes: Promise<void> = Promise.resolve();

  private constructor(options: LeaseOptions, record: PipelineRecord, revision: number) {
    this.#options = options;
    this.#record = record;
    this.#revision = revision;
    void this.#renew();
  }

  /** Waits until the lease is free, and takes it; undefined when `signal` aborts before. */
  static async acquire(options: LeaseOptions): Promise<HistoryLease | undefined> {
    const { kv, key, owner, leaseMs, signal } = options;
    let waited = false;
    while (!signal.aborted) {
      const entry = await kv.get(key);
      const found = entry?.operation === 'PUT' ? decodeRecord(entry.string()) : undefined;
      const busyMs = !found || found.owner === owner ? 0 : Date.parse(found.leaseUntil) - Date.now();
      if (busyMs <= 0) {
        const record = { ...(found ?? NEW_RECORD), owner, epoch: (found?.epoch ?? 0) + 1, leaseUntil: later(leaseMs) };
        const text = encodeRecord(record);
        const write = entry ? kv.update(key, text, entry.revision) : kv.create(key, text);
        const revision = await write.catch((error: unknown) => {
          if (isConflict(error)) return undefined;
          throw error;
        });
        if (revision !== undefined) return new HistoryLease(options, record, revision);
      } else if (!waited) {
        waited = true;
        options.standby?.();
      }
      await sleep(Math.max(20, Math.min(busyMs, leaseMs / 5, 1_000)), signal);
    }
    return undefined;
  }

  /** Aborts when the lease is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get record(): Readonly<PipelineRecord> {
    return this.#record;
  }

  /**
   * Changes the record, and with it renews the lease.
   * @throws LeaseLost
   */
  update(change: Change): Promise<void> {
    const done = this.#changes.then(() => this.#write(change, later(this.#options.leaseMs)));
    this.#changes = done.catch(() => undefined);
    return done;
  }

  /**
   * Makes sure that the lease is good for a while, also after this process was paused.
   * @throws LeaseLost
   */
  async ensure(): Promise<void> {
    const left = Date.parse(this.#record.leaseUntil) - Date.now();
    if (left < this.#options.leaseMs / 2) await this.update({});
    else this.#lost.signal.throwIfAborted();
  }

  /** Gives the lease back. Never throws: it runs out by itself. */
  async release(): Promise<void> {
    this.#closed.abort();
    await this.#changes;
    if (!this.#lost.signal.aborted) await this.#write({}, new Date(0).toISOString()).catch(() => undefined);
    this.#lost.abort(new LeaseLost('the lease was given back'));
  }

  async #write(change: Change, leaseUntil: string): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const { kv, key } = this.#options;
    const record: PipelineRecord = { ...this.#record, ...change, leaseUntil };
    try {
      this.#revision = await kv.update(key, encodeRecord(record), this.#revision);
      this.#record = record;
    } catch (cause) {
      const why = isConflict(cause) ? 'another owner has taken the lease' : 'the lease could not be renewed';
      const lost = new LeaseLost(why, { cause });
      this.#lost.abort(lost);
      throw lost;
    }
  }

  async #renew(): Promise<void> {
    const { leaseMs, log } = this.#options;
    const over = AbortSignal.any([this.#lost.signal, this.#closed.signal]);
    while (!over.aborted) {
      await sleep(leaseMs / 3, over);
      if (over.aborted) return;
      await this.update({}).catch((error: unknown) => log.warn({ error }, 'the lease of the history is lost'));
    }
  }
}

const NEW_RECORD = {
  streamCreated: '',
  generation: 0,
  position: 0,
  written: NOTHING_WRITTEN,
  intent: null,
};

const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

const isConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
    error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown);
