// Publishes one lifecycle event until it is known what became of it: a worker goes on only with that knowledge.
import type { LifecycleEvent } from '@trellis/contracts';
import {
  abortable,
  type JobStream,
  newId,
  PublishError,
  type PublishOptions,
  type PublishOutcome,
} from '@trellis/runtime';
import type { JobLog } from './worker-scope.ts';

export type Published =
  | PublishOutcome
  /** The server will never take it: too large, not permitted. */
  | { kind: 'refused'; error: Error };

export interface PublishDecidedOptions {
  /** The event's JSON text, for callers that have made it already. */
  json?: string;
  expect?: { lastSequence: number; filter: string };
  /** Ends the waiting: the host stops. */
  signal: AbortSignal;
  log: JobLog;
}

const PAUSE_MS = 250;

/**
 * Stores `event`, trying again for as long as the answer is not known, always with the same message id.
 * @throws {PublishError} only when `signal` aborted first
 */
export async function publishDecided(
  stream: JobStream,
  event: LifecycleEvent,
  { json, expect, signal, log }: PublishDecidedOptions,
): Promise<Published> {
  // Where the server knows no conditions over a filter, the id that JobStream makes carries the condition.
  const options: PublishOptions = expect && !stream.features.conditionalFilter ? {} : { messageId: newId() };
  if (json !== undefined) options.json = json;
  if (expect) options.expect = expect;
  options.signal = signal;
  for (;;) {
    try {
      return await stream.publish(event, options);
    } catch (error) {
      if (signal.aborted || !(error instanceof PublishError)) throw error;
      if (error.refused) return { kind: 'refused', error };
      log.warn({ error, event: event.eventType }, 'it is not known yet whether the event is stored; trying on');
      await abortable(signal, PAUSE_MS);
    }
  }
}
