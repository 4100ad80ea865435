// What a worker does at intervals: extend the ack wait of its deliveries, check for cancellations, send heartbeats.
import { type Loop, loop, sleep } from '@trellis/async';
import type { DeliveryRegistry } from '../delivery/delivery-registry.ts';
import type { CancellationWatcher } from './cancellation-watcher.ts';
import { announceWorker } from './presence.ts';
import type { WorkerScope } from './worker-scope.ts';

interface LoopParts {
  deliveries: DeliveryRegistry;
  cancellations: CancellationWatcher;
  /** The consumer's ack wait as it is now, in milliseconds. */
  ackWaitMs: () => number;
  activeJobs: () => string[];
  heartbeatIntervalMs: number;
  signal: AbortSignal;
}

export function startLoops(scope: WorkerScope, parts: LoopParts): Loop[] {
  const { deliveries, cancellations, ackWaitMs, activeJobs, heartbeatIntervalMs: intervalMs, signal } = parts;
  const { log } = scope;
  const name = `${scope.service}/${scope.jobType}`;
  return [
    loop(`ack extension of ${name}`, {
      signal,
      log,
      // Every held delivery, also those that wait for a permit.
      run: async (until) => {
        for (const delivery of deliveries.values()) delivery.message?.working();
        await sleep(ackWaitMs() / 3, until);
      },
    }),
    loop(`cancellation check of ${name}`, {
      signal,
      log,
      run: async (until) => {
        await sleep(ackWaitMs() / 3, until);
        await cancellations.recheck();
      },
    }),
    announceWorker(scope, activeJobs, { intervalMs, signal }),
  ];
}
