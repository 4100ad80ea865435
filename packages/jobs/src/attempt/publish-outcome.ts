// Publishes one lifecycle event until it is known whether it is stored: a worker continues only with that knowledge.

import { sleep } from '@trellis/async';
import { type LifecycleEvent, newId } from '@trellis/contracts';
import { type JobStream, PublishError, type PublishOptions, type PublishOutcome } from '@trellis/nats';
import type { JobLog } from '../worker/worker-scope.ts';

export type Published =
  | PublishOutcome
  /** Refused for good: too large, not permitted. */
  | { kind: 'refused'; error: Error };

export interface PublishUntilKnownOptions {
  /** The event's JSON text, for callers that have made it already. */
  json?: string;
  expect?: { lastSequence: number; filter: string };
  /** Ends the waiting when the host stops. */
  signal: AbortSignal;
  log: JobLog;
}

const PAUSE_MS = 250;

/**
 * Stores `event`; tries again with the same message id for as long as the outcome is not known.
 * @throws {PublishError} only when `signal` aborted first
 */
export function publishUntilKnown(
  stream: JobStream,
  event: LifecycleEvent,
  options: PublishUntilKnownOptions,
): Promise<Published> {
  const { json, expect, signal } = options;
  // On servers without conditions over a filter, the message id that JobStream makes carries the condition.
  const publish: PublishOptions = expect && !stream.features.conditionalFilter ? {} : { messageId: newId() };
  if (json !== undefined) publish.json = json;
  if (expect) publish.expect = expect;
  publish.signal = signal;
  return stream
    .publish(event, publish)
    .catch((error: unknown) => retryUntilKnown(stream, event, publish, options, error));
}

async function retryUntilKnown(
  stream: JobStream,
  event: LifecycleEvent,
  publish: PublishOptions,
  { signal, log }: PublishUntilKnownOptions,
  first: unknown,
): Promise<Published> {
  for (let error = first; ; ) {
    if (signal.aborted || !(error instanceof PublishError)) throw error;
    if (error.refused) return { kind: 'refused', error };
    log.warn({ error, event: event.eventType }, 'it is not known yet whether the event is stored; trying again');
    await sleep(PAUSE_MS, signal);
    try {
      return await stream.publish(event, publish);
    } catch (again) {
      error = again;
    }
  }
}
