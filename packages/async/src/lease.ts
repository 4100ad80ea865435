// Leases: the right of one process at a time to do a piece of work. Where a lease is kept, and what fences the data, is
// the store's business; these two loops are the same for every store.
import { sleep } from './sleep.ts';

export interface WaitForLeaseOptions<Lease> {
  /** Undefined while another owner has the lease. */
  tryAcquire: () => Promise<Lease | undefined>;
  /** Milliseconds between two tries; asked for after each try that failed. */
  pollMs: () => number;
  signal: AbortSignal;
  /** Called after each try that failed; `tries` counts from 1. */
  standby?: (tries: number) => void;
}

/** Tries until the lease is acquired; undefined when `signal` aborts first. @throws what `tryAcquire` throws */
export async function waitForLease<Lease>(options: WaitForLeaseOptions<Lease>): Promise<Lease | undefined> {
  const { tryAcquire, pollMs, signal, standby } = options;
  for (let tries = 1; !signal.aborted; tries++) {
    const lease = await tryAcquire();
    if (lease !== undefined) return lease;
    standby?.(tries);
    await sleep(pollMs(), signal);
  }
  return undefined;
}

export interface RenewLeaseOptions {
  leaseMs: number;
  /** False: another owner has the lease. Rejects while that is not known. */
  renew: () => Promise<boolean>;
  /** Ends the renewing. */
  signal: AbortSignal;
  /** Called once, when another owner has the lease. */
  lost: () => void;
  /** Called with each error of `renew`. */
  failed: (error: unknown) => void;
  /** The lease also counts as lost when it was not renewed for this long, in milliseconds; default: never. */
  giveUpAfterMs?: number;
}

/** Renews a lease every third of its duration until `signal` aborts or the lease is lost. Never rejects. */
export async function renewLease(options: RenewLeaseOptions): Promise<void> {
  const { leaseMs, renew, signal, lost, failed, giveUpAfterMs = Number.POSITIVE_INFINITY } = options;
  let renewedAt = performance.now();
  for (;;) {
    await sleep(leaseMs / 3, signal);
    if (signal.aborted) return;
    try {
      if (!(await renew())) return lost();
      renewedAt = performance.now();
    } catch (error) {
      failed(error);
      if (performance.now() - renewedAt >= giveUpAfterMs) return lost();
    }
  }
}
