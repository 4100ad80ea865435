// Ends the running attempts when the host stops: shutdown signal, then abandon, then halt.
import type { Semaphore } from '@trellis/async';
import type { DeliveryRegistry } from '../delivery/delivery-registry.ts';
import type { InFlight } from './in-flight.ts';
import { HALT_MS, SETTLE_MS } from './worker-limits.ts';

interface Ending {
  deliveries: DeliveryRegistry;
  permits: Semaphore;
  inFlight: InFlight;
  /** Ends the waiting for the servers. */
  halt: AbortController;
}

/** Resolves when nothing is in flight any more. */
export async function endAttempts({ deliveries, permits, inFlight, halt }: Ending): Promise<void> {
  for (const { attempt } of deliveries.values()) attempt?.stop('shutdown');
  permits.close();
  await inFlight.idleWithin(SETTLE_MS);
  for (const { attempt } of deliveries.values()) attempt?.abandon();
  await inFlight.idleWithin(HALT_MS);
  halt.abort();
  await inFlight.idle();
}
