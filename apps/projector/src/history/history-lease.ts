// The lease to write the history: acquired, renewed and released by compare-and-set on the pipeline's record. An owner
// that lost it learns so at its next change and stops.
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { KV } from '@nats-io/kv';
import { type Logger, renewLease, waitForLease } from '@trellis/async';
import { decodePipelineRecord, encodePipelineRecord, NOTHING_WRITTEN, type PipelineRecord } from '@trellis/contracts';

/** Another process has the lease, or this one could not renew it. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

export interface LeaseOptions {
  kv: KV;
  key: string;
  /** Unique for the process. A process does not wait for a lease of its own to expire. */
  owner: string;
  leaseMs: number;
  signal: AbortSignal;
  log: Logger;
  /** Called once when another owner has the lease. */
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

  /** Waits until the lease is free and acquires it; undefined when `signal` aborts first. */
  static acquire(options: LeaseOptions): Promise<HistoryLease | undefined> {
    const { kv, key, owner, leaseMs, signal, standby } = options;
    let busyMs = 0;
    const tryAcquire = async () => {
      const entry = await kv.get(key);
      const found = entry?.operation === 'PUT' ? decodePipelineRecord(entry.string()) : undefined;
      busyMs = !found || found.owner === owner ? 0 : Date.parse(found.leaseUntil) - Date.now();
      if (busyMs > 0) return undefined;
      const record = { ...(found ?? NEW_RECORD), owner, epoch: (found?.epoch ?? 0) + 1, leaseUntil: later(leaseMs) };
      const text = encodePipelineRecord(record);
      try {
        const revision = await (entry ? kv.update(key, text, entry.revision) : kv.create(key, text));
        return new HistoryLease(options, record, revision);
      } catch (error) {
        if (isConflict(error)) return undefined;
        throw error;
      }
    };
    let waited = false;
    return waitForLease({
      tryAcquire,
      pollMs: () => Math.max(20, Math.min(busyMs, leaseMs / 5, 1_000)),
      signal,
      standby: () => {
        if (!waited && busyMs > 0) standby?.();
        waited ||= busyMs > 0;
      },
    });
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
   * Makes sure that the lease holds for half its duration, also after this process was paused.
   * @throws LeaseLost
   */
  async ensure(): Promise<void> {
    const left = Date.parse(this.#record.leaseUntil) - Date.now();
    if (left < this.#options.leaseMs / 2) await this.update({});
    else this.#lost.signal.throwIfAborted();
  }

  /** Releases the lease. Never throws: the lease also expires by itself. */
  async release(): Promise<void> {
    this.#closed.abort();
    await this.#changes;
    if (!this.#lost.signal.aborted) await this.#write({}, new Date(0).toISOString()).catch(() => undefined);
    this.#lost.abort(new LeaseLost('the lease was released'));
  }

  async #write(change: Change, leaseUntil: string): Promise<void> {
    this.#lost.signal.throwIfAborted();
    const { kv, key } = this.#options;
    const record: PipelineRecord = { ...this.#record, ...change, leaseUntil };
    try {
      this.#revision = await kv.update(key, encodePipelineRecord(record), this.#revision);
      this.#record = record;
    } catch (cause) {
      const why = isConflict(cause) ? 'another owner has taken the lease' : 'the lease could not be renewed';
      const lost = new LeaseLost(why, { cause });
      this.#lost.abort(lost);
      throw lost;
    }
  }

  #renew(): Promise<void> {
    const { leaseMs, log } = this.#options;
    return renewLease({
      leaseMs,
      renew: () => this.update({}).then(() => true),
      signal: AbortSignal.any([this.#lost.signal, this.#closed.signal]),
      lost: () => undefined,
      // An update that fails aborts `lost`, which ends the renewing.
      failed: (error) => log.warn({ error }, 'the lease of the history is lost'),
    });
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
