// Makes up requests to sync: origin `foo` is asked for more often than it can be synced, so that somebody always waits.
import type { SyncRequest } from './queues.ts';

const REQUESTERS = ['webhook', 'schedule', 'webhook', 'support'] as const;
const QUIET_ORIGINS = ['bar', 'acme', 'globex'];

/** Request number `number` (from 0): the same number gives the same request. Every second one is for `foo`. */
export function madeUpRequest(number: number): SyncRequest {
  const requestedBy = REQUESTERS[number % REQUESTERS.length] ?? 'webhook';
  const quiet = QUIET_ORIGINS[Math.floor(number / 2) % QUIET_ORIGINS.length] ?? 'bar';
  return { origin: number % 2 === 0 ? 'foo' : quiet, requestedBy };
}
