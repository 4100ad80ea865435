// Works while it holds the lease of a pipeline: waits for it, renews it, stops the work when it is lost, gives it back.
import { type Logger, sleep } from '@trellis/async';
import type { CurrentStore, Lease } from '@trellis/store-postgres';

export interface HoldLeaseOptions {
  leases: CurrentStore['leases'];
  owner: string;
  signal: AbortSignal;
  log: Logger;
  /** Called when another process has the lease, so that this one need not do more. */
  standby?: (() => void) | undefined;
  /** How often a waiting process asks for the lease; default a tenth of it. */
  pollMs?: number | undefined;
}

/** Runs `work` once, as the owner of the pipeline. Its signal aborts when the lease is lost too. */
export async function holdLease(
  options: HoldLeaseOptions,
  work: (lease: Lease, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { leases, signal, log, owner } = options;
  const lease = await waitForLease(options);
  if (!lease) return;
  log.info({ owner, epoch: lease.epoch, position: lease.position }, 'the pipeline is ours');
  const lost = new AbortController();
  const ended = new AbortController();
  const renewing = renew(options, lease, ended.signal, () => lost.abort(new Error('the lease was lost')));
  try {
    await work(lease, AbortSignal.any([signal, lost.signal]));
  } finally {
    ended.abort();
    await renewing;
    await leases.release(lease).catch((error: unknown) => log.debug({ error }, 'the lease could not be given back'));
  }
}

async function waitForLease({
  leases,
  owner,
  signal,
  log,
  pollMs,
  standby,
}: HoldLeaseOptions): Promise<Lease | undefined> {
  for (let told = false; !signal.aborted; ) {
    const lease = await leases.acquire(owner);
    if (lease) return lease;
    if (!told) log.info({ owner }, 'another process has the pipeline; standing by');
    told = true;
    standby?.();
    await sleep(pollMs ?? leases.leaseMs / 10, signal);
  }
  return undefined;
}

async function renew(
  { leases, log }: HoldLeaseOptions,
  lease: Lease,
  ended: AbortSignal,
  lost: () => void,
): Promise<void> {
  while (!ended.aborted) {
    await sleep(leases.leaseMs / 3, ended);
    if (ended.aborted) return;
    try {
      if (await leases.renew(lease)) continue;
      log.warn({ epoch: lease.epoch }, 'another process has taken the pipeline over');
      lost();
      return;
    } catch (error) {
      // Whoever cannot reach the store cannot write either; the fence decides when it is back.
      log.warn({ error }, 'the lease could not be renewed');
    }
  }
}
