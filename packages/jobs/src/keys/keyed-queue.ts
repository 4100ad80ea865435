// The keys of one queue: which key a job has, and changes of its record with the limits of the queue. admit-job.ts (create) and
// key-gate.ts (run) decide when a change is due.

import type { Logger } from '@trellis/async';
import {
  type KeyConcurrency,
  KeyHash,
  type KeyQueuePolicy,
  type KeyRecord,
  keyFreeSubject,
  type LifecycleEvent,
} from '@trellis/contracts';
import type { Changed, KeyIdentity, KeyLimits } from '@trellis/lifecycle';
import type { JobStream } from '@trellis/nats';
import type { ChangeOptions, KeyRecords } from './key-records.ts';
import { resolveKey } from './key-template.ts';

export type KeyOfJob = { kind: 'ok'; identity: KeyIdentity } | { kind: 'refused'; field: string; problem: string };

export interface KeyedQueueScope {
  service: string;
  jobType: string;
  stream: JobStream;
  log: Logger;
}

export class KeyedQueue {
  readonly concurrency: KeyConcurrency;
  readonly policy: KeyQueuePolicy;
  readonly limits: KeyLimits;
  readonly #scope: KeyedQueueScope;
  readonly #records: KeyRecords;

  constructor(scope: KeyedQueueScope, records: KeyRecords, concurrency: KeyConcurrency, policy: KeyQueuePolicy) {
    this.#scope = scope;
    this.#records = records;
    this.concurrency = concurrency;
    this.policy = policy;
    this.limits = { maxActive: concurrency.maxActive, maxQueuedPerKey: policy.maxQueuedPerKey };
  }

  /** The owner of a lease lives while its heartbeat is younger than this: it may miss one renewal. */
  get liveMs(): number {
    return 2 * this.concurrency.heartbeatIntervalMs;
  }

  /** The longest parking time: a lost worker's job is delivered again while its lease still holds. */
  get longestParkMs(): number {
    return this.concurrency.heartbeatTtlMs / 2;
  }

  /** The key that a payload (in its JSON form) belongs to. */
  keyOfPayload(payload: unknown): KeyOfJob {
    const resolved = resolveKey(this.concurrency.key, payload);
    if (resolved.kind === 'refused') return resolved;
    const { service, jobType } = this.#scope;
    return { kind: 'ok', identity: { service, jobType, key: resolved.key, keyHash: resolved.keyHash } };
  }

  /** The key that a job was admitted with, even if the template has changed since. */
  keyOfEvent({ concurrency, service, jobType }: LifecycleEvent): KeyIdentity | undefined {
    if (concurrency === undefined || !KeyHash.safeParse(concurrency.keyHash).success) return undefined;
    return { service, jobType, key: concurrency.key, keyHash: concurrency.keyHash };
  }

  /** See `KeyRecords.change`. */
  change<Outcome>(
    identity: KeyIdentity,
    decide: (record: KeyRecord, now: Date) => Changed<Outcome>,
    options: ChangeOptions,
  ): Promise<Outcome> {
    return this.#records.change(identity, this.limits, decide, options);
  }

  read(identity: KeyIdentity): Promise<KeyRecord | undefined> {
    return this.#records.read(identity);
  }

  /** Hints to idle instances that the key has a free lease and waiting jobs. A lost hint only costs time. */
  hint({ key, keyHash }: KeyIdentity): void {
    const { service, jobType, stream } = this.#scope;
    if (!stream.nc.isClosed()) stream.nc.publish(keyFreeSubject(service, jobType), JSON.stringify({ key, keyHash }));
  }
}
