// A lease of a key that this worker acquired. How leases are acquired and released is key-lease.ts.
import type { ActiveSlot, Concurrency } from '@trellis/contracts';
import type { KeyIdentity } from '@trellis/lifecycle';

/** Facts about the change that acquired a lease. */
export interface ChangeFacts {
  takeovers: number;
  /** Process clock before the request: a process may be paused for long before it reads the reply. */
  askedAt: number;
}

/** A lease that this worker acquired; it may have lost it since. */
export class KeyLease {
  readonly identity: KeyIdentity;
  readonly jobId: string;
  readonly token: string;
  readonly queuedAt: string | undefined;
  readonly #takeovers: number;
  #slot: ActiveSlot;
  #knownAt: number;
  /** Lease lost: the outcome of its handler does not count. */
  lost = false;
  /** Released: it is not renewed any more. */
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
