// Keeps presence while this replica holds the lease: heartbeats into the book, the book's changes into the store, with a
// bounded number of statements in each flush.
import { type Logger, loop, sleep, waitForLease } from '@trellis/async';
import type { JobStream } from '@trellis/nats';
import type { HeardUpTo, Lease, PresenceStore } from '@trellis/store-postgres';
import type { AggregatorConfig } from './config.ts';
import { followHeartbeats, type HeardMessage } from './follow-heartbeats.ts';
import { PresenceBook } from './presence-book.ts';
import type { PresenceCounts } from './presence-counts.ts';
import type { PresenceMetrics } from './presence-metrics.ts';
import { readHeartbeat } from './read-heartbeat.ts';

export interface KeepOptions {
  stream: JobStream;
  store: PresenceStore;
  settings: Pick<
    AggregatorConfig,
    'instanceId' | 'streamReplicas' | 'presenceFlushMs' | 'presenceLeaseMs' | 'presenceRetention' | 'presenceIntervalMs'
  >;
  signal: AbortSignal;
  log: Logger;
  counts: PresenceCounts;
  metrics?: PresenceMetrics | undefined;
  /** Take the lease over also from an owner that may still live: a new process need not wait for its killed predecessor. */
  takeOver: boolean;
  /** Called once presence is stored, or another replica keeps it. */
  settled: () => void;
}

const FORGET_EVERY_MS = 60_000;

/**
 * Waits for the lease, then keeps presence until `signal` aborts.
 * @throws when another replica has taken the lease, or the store does not answer
 */
export async function keepPresence(options: KeepOptions): Promise<void> {
  const { store, settings, signal, log } = options;
  const lease = await acquire(options);
  if (!lease) return;
  log.info({ epoch: lease.epoch }, 'this replica keeps presence');
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const keeper = new Keeper(options, lease);
  let following: Promise<void> | undefined;
  try {
    await keeper.load();
    if (options.metrics) options.metrics.book = keeper.book;
    following = loop('heartbeats', { signal: until, log, run: (running) => keeper.follow(running) }).done;
    while (!until.aborted) {
      const began = performance.now();
      await keeper.flush();
      options.metrics?.tell(options.counts);
      // A slow store gets a pause as long as its last write.
      const tookMs = performance.now() - began;
      const pauseMs = Math.max(settings.presenceFlushMs - tookMs, tookMs);
      // The first complete picture is stored immediately.
      const heardAll = keeper.heardAll.aborted ? [] : [keeper.heardAll];
      await sleep(pauseMs, AbortSignal.any([until, ...heardAll]));
    }
  } finally {
    if (options.metrics) options.metrics.book = undefined;
    ended.abort();
    await following;
    await store.leases
      .release(lease)
      .catch((error: unknown) => log.warn({ error }, 'the lease of presence could not be released'));
  }
}

async function acquire({ store, settings, signal, log, takeOver, settled }: KeepOptions): Promise<Lease | undefined> {
  if (takeOver) return store.takeOver(settings.instanceId);
  return waitForLease({
    tryAcquire: () => store.leases.acquire(settings.instanceId),
    pollMs: () => settings.presenceLeaseMs / 5,
    signal,
    standby: (tries) => {
      if (tries === 1) log.info('another replica keeps presence; this one stands by');
      settled();
    },
  });
}

class Keeper {
  readonly #options: KeepOptions;
  readonly #lease: Lease;
  readonly #book: PresenceBook;
  readonly #heardAll = new AbortController();
  #heard: { sequence: number; streamCreated: string } | undefined;
  #sequence = 0;
  #forgotAt = Number.NEGATIVE_INFINITY;

  constructor(options: KeepOptions, lease: Lease) {
    this.#options = options;
    this.#lease = lease;
    this.#book = new PresenceBook({ defaultIntervalMs: options.settings.presenceIntervalMs });
  }

  /** Aborts when every worker was heard for the first time. */
  get heardAll(): AbortSignal {
    return this.#heardAll.signal;
  }

  get book(): PresenceBook {
    return this.#book;
  }

  async load(): Promise<void> {
    this.#book.load(await this.#options.store.list());
  }

  follow(signal: AbortSignal): Promise<void> {
    const { stream, log, settings } = this.#options;
    return followHeartbeats({
      stream,
      streamReplicas: settings.streamReplicas,
      signal,
      log,
      heard: (message) => this.#hear(message),
      caughtUp: (at, streamCreated) => {
        this.#book.heardUpTo(at);
        this.#heard = { sequence: this.#sequence, streamCreated };
        this.#heardAll.abort();
      },
    });
  }

  /** Writes what has changed. @throws {LeaseLost} */
  async flush(): Promise<void> {
    const { store, counts, settings, settled } = this.#options;
    const upTo = this.#upTo();
    // Until every worker was heard once, no worker counts as late.
    if (!upTo) return this.#renew();
    const changes = this.#book.takeChanges();
    // After an error everything is read again: the stream holds the last heartbeat of every worker.
    if (!(await store.flush(this.#lease, changes, upTo))) throw new LeaseLost();
    settled();
    counts.flushes++;
    counts.rows += changes.length;
    if (performance.now() - this.#forgotAt < FORGET_EVERY_MS) return;
    this.#forgotAt = performance.now();
    const cutoff = new Date(Date.parse(upTo.at) - settings.presenceRetention).toISOString();
    counts.forgotten += await store.forget(cutoff);
  }

  #upTo(): HeardUpTo | undefined {
    const { knownUpTo } = this.#book;
    if (knownUpTo === undefined || !this.#heard) return undefined;
    return { ...this.#heard, at: new Date(knownUpTo).toISOString() };
  }

  async #renew(): Promise<void> {
    if (!(await this.#options.store.leases.renew(this.#lease))) throw new LeaseLost();
  }

  #hear({ subject, data, sequence, storedAt }: HeardMessage): void {
    const { counts, log, settings } = this.#options;
    this.#sequence = sequence;
    const read = readHeartbeat(subject, data);
    if (read.kind === 'refused') {
      counts[read.why]++;
      log.debug({ subject, why: read.why, reason: read.reason }, 'a heartbeat is passed over');
      return;
    }
    counts.heartbeats++;
    // A stream that keeps heartbeats forever starts with workers that are long forgotten.
    if (storedAt < (this.#book.knownUpTo ?? Date.now()) - settings.presenceRetention) return;
    this.#book.hear(read.heartbeat, storedAt);
  }
}

/** Another replica keeps presence now. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost';

  constructor() {
    super('another replica keeps presence now');
  }
}
