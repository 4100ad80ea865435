// Hints that a key has a free lease and waiting jobs: a worker with room starts the head of the queue. Nothing depends on
// hints: parked messages are delivered again by themselves.

import { sleep } from '@trellis/async';
import { KeyFreeHint, keyFreeSubject } from '@trellis/contracts';
import type { KeyIdentity } from '@trellis/lifecycle';
import { acquireHeadLease, type KeyedScope } from './key-lease.ts';
import type { KeyLease } from './lease.ts';

/** Spreads the requests of idle instances, in milliseconds. */
const SPREAD_MS = 20;

/** Calls `answer` for each hint that comes while there is room, until `signal` aborts. */
export function listenForFreeKeys(
  { service, jobType, stream, log }: KeyedScope,
  hasRoom: () => boolean,
  answer: (identity: KeyIdentity) => void,
  signal: AbortSignal,
): void {
  const hints = stream.nc.subscribe(keyFreeSubject(service, jobType), {
    callback: (error, message) => {
      if (error) return log.warn({ error }, 'no hints about free keys; parked work comes by itself');
      if (signal.aborted || !hasRoom()) return;
      const hint = KeyFreeHint.safeParse(parseJson(message.data));
      if (!hint.success) return log.debug({ subject: message.subject }, 'a hint about a free key is unreadable');
      answer({ service, jobType, key: hint.data.key, keyHash: hint.data.keyHash });
    },
  });
  signal.addEventListener('abort', () => hints.unsubscribe(), { once: true });
}

/** The lease of the head of a key's queue, unless another worker was quicker. Never rejects. */
export async function takeHinted(
  scope: KeyedScope,
  identity: KeyIdentity,
  signal: AbortSignal,
): Promise<KeyLease | undefined> {
  await sleep(Math.random() * SPREAD_MS, signal);
  if (signal.aborted) return undefined;
  try {
    const record = await scope.keyed.read(identity);
    if (!record || record.queued.length === 0 || record.active.length >= scope.keyed.limits.maxActive) return undefined;
    return await acquireHeadLease(scope, identity);
  } catch (error) {
    scope.log.warn({ error, key: identity.key }, 'a hint about a free key could not be answered');
    return undefined;
  }
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data));
  } catch {
    return undefined;
  }
}
