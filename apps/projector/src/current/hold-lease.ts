// Works while this process holds the lease of a pipeline.
import { type Logger, renewLease, waitForLease } from '@trellis/async';
import type { CurrentStore, Lease } from '@trellis/store-postgres';

export interface HoldLeaseOptions {
  leases: CurrentStore['leases'];
  owner: string;
  signal: AbortSignal;
  log: Logger;
  /** Called while another process has the lease: standing by is healthy. */
  standby?: (() => void) | undefined;
  /** Milliseconds between two tries to acquire the lease; default a tenth of its duration. */
  pollMs?: number | undefined;
}

/** Waits for the lease, runs `work` once with it, and releases it. The signal of `work` also aborts when the lease is lost. */
export async function holdLease(
  options: HoldLeaseOptions,
  work: (lease: Lease, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { leases, signal, log, owner, pollMs = leases.leaseMs / 10, standby } = options;
  const lease = await waitForLease({
    tryAcquire: () => leases.acquire(owner),
    pollMs: () => pollMs,
    signal,
    standby: (tries) => {
      if (tries === 1) log.info({ owner }, 'another process has the lease of the pipeline; standing by');
      standby?.();
    },
  });
  if (!lease) return;
  log.info({ owner, epoch: lease.epoch, position: lease.position }, 'this process has the lease of the pipeline');
  const lost = new AbortController();
  const ended = new AbortController();
  const renewing = renewLease({
    leaseMs: leases.leaseMs,
    renew: () => leases.renew(lease),
    signal: ended.signal,
    lost: () => {
      log.warn({ epoch: lease.epoch }, 'another process has taken the lease of the pipeline');
      lost.abort(new Error('the lease was lost'));
    },
    // A process that cannot reach the store cannot write either; the fence decides when the store is back.
    failed: (error) => log.warn({ error }, 'the lease could not be renewed'),
  });
  try {
    await work(lease, AbortSignal.any([signal, lost.signal]));
  } finally {
    ended.abort();
    await renewing;
    await leases.release(lease).catch((error: unknown) => log.debug({ error }, 'the lease could not be released'));
  }
}
