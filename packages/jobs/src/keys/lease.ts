// A lease of a key that this worker acquired. How leases are acquired and released is key-lease.ts.
import type { ActiveSlot, Concurrency } from '@trellis/contracts';
import type { KeyIdentity } from '@trellis/lifecycle';

/** How a record was when it was changed. */
export interface ChangeFacts {
  takeovers: number;
  /** Of the process clock, before the request: a process may be stopped for long before it reads the answer. */
  askedAt: number;
}

/** A lease that this worker took; somebody else may have it by now. */
export class KeyLease {
  readonly identity: KeyIdentity;
  readonly jobId: string;
  readonly token: string;
  readonly queuedAt: string | undefined;
  readonly #takeovers: number;
  #slot: ActiveSlot;
  #knownAt: number;
  /** Somebody else has it: whatever its handler brings does not count. */
  lost = false;
  /** It was given back: nothing is to be renewed. */
  released = false;

  constructor(identity: KeyIdentity, slot: ActiveSlot, { takeovers, askedAt }: ChangeFacts) {
    this.identity = identity;
    this.#slot = slot;
    this.#takeovers = takeovers;
    this.#knownAt = askedAt;
    this.jobId = slot.jobId;
    this.token = slot.slotToken;
    this.queuedAt = slot.queuedAt;
  }

  /** Milliseconds since this worker last knew that the lease is its own. */
  get ageMs(): number {
    return performance.now() - this.#knownAt;
  }

  renewed(slot: ActiveSlot, askedAt: number): void {
    this.#slot = slot;
    this.#knownAt = askedAt;
  }

  /** As lifecycle events carry it. */
  facts(): Concurrency {
    const { key, keyHash } = this.identity;
    const { instanceId, slotToken, heartbeatAt, leaseExpiresAt } = this.#slot;
    return { key, keyHash, instanceId, slotToken, heartbeatAt, leaseExpiresAt, staleTakeoverCount: this.#takeovers };
  }
}
