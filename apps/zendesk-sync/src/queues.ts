// The one queue of the example: the tickets of an origin are synced by one job at a time, whoever asks and however often.
import { type JobService, queue } from '@trellis/jobs';
import { z } from 'zod';

export const SERVICE_NAME = 'zendesk-sync';

export const SyncRequest = z.object({
  /** The Zendesk account: its part of the key. */
  origin: z.string().min(1),
  requestedBy: z.enum(['webhook', 'schedule', 'support']),
});
export type SyncRequest = z.infer<typeof SyncRequest>;

/** @param speed shortens the waits: how many times faster than life the example runs */
export function declareQueues(speed: number) {
  return {
    'sync-tickets': queue({
      payload: SyncRequest,
      result: z.object({ tickets: z.int() }),
      maxDeliver: 4,
      backoffMs: [2_000, 4_000].map((ms) => Math.round(ms / speed)),
      concurrency: 4,
      // `zendesk:foo:tickets` for origin foo.
      keyConcurrency: { key: ['zendesk', '/origin', 'tickets'], heartbeatIntervalMs: 5_000, heartbeatTtlMs: 30_000 },
      // One more request than that syncs nothing that the ones waiting would not.
      queue: { maxQueuedPerKey: 3, whenFull: 'coalesce' },
    }),
  };
}

export type SyncQueue = JobService<ReturnType<typeof declareQueues>>['jobs']['syncTickets'];
