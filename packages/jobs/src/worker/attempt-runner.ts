// Runs one delivery to its answer: begins the attempt, runs the handler when a permit is free, finishes. Which delivery runs,
// and what runs after it, is up to the worker.

import type { Semaphore } from '@trellis/async';
import { type Beginning, beginAttempt } from '../attempt/begin-attempt.ts';
import type { Ending } from '../attempt/decide-outcome.ts';
import { finishAttempt } from '../attempt/finish-attempt.ts';
import { type Handler, runHandler } from '../attempt/run-handler.ts';
import { RunningAttempt } from '../attempt/running-attempt.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { isKeyed, keepRenewing } from '../keys/key-lease.ts';
import { withinAttempt } from '../telemetry/attempt-span.ts';
import type { PrefetchWindow } from './prefetch-window.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

const FAULT_WAIT_MS = 1_000;
const MAX_FAULT_WAIT_MS = 30_000;

export class AttemptRunner {
  readonly #scope: WorkerScope;
  readonly #handler: Handler<unknown, unknown>;
  readonly #permits: Semaphore;
  readonly #prefetch: PrefetchWindow;
  readonly #started: (delivery: Delivery) => void;

  /** @param started receives each delivery whose attempt has started */
  constructor(
    scope: WorkerScope,
    handler: Handler<unknown, unknown>,
    slots: Semaphore,
    prefetch: PrefetchWindow,
    started: (delivery: Delivery) => void,
  ) {
    this.#scope = scope;
    this.#handler = handler;
    this.#permits = slots;
    this.#prefetch = prefetch;
    this.#started = started;
  }

  /** Never rejects. `handled` is called when the handler has ended, before its outcome is stored. */
  async run(delivery: Delivery, handled: () => void): Promise<void> {
    let attempt: RunningAttempt | undefined;
    try {
      const began = performance.now();
      const begun = await beginAttempt(this.#scope, delivery);
      if (begun.kind === 'settled') return;
      this.#prefetch.started(performance.now() - began);
      attempt = this.#attemptOf(delivery, begun);
      const ending = await this.#handle(delivery, attempt, begun.payload);
      handled();
      // From here on the attempt's own outcome must not look like an end by others.
      delivery.attempt = undefined;
      await this.#finish(delivery, attempt, ending);
    } catch (error) {
      attempt?.span?.lost(error);
      this.#fail(delivery, error);
    } finally {
      delivery.renewal?.stop();
      delivery.attempt = undefined;
    }
  }

  #attemptOf(delivery: Delivery, begun: Extract<Beginning, { kind: 'run' }>): RunningAttempt {
    const scope = this.#scope;
    const attempt = new RunningAttempt(delivery.work.jobId, begun);
    delivery.attempt = attempt;
    if (isKeyed(scope) && delivery.lease) {
      delivery.renewal = keepRenewing(scope, delivery.lease, () => attempt.stop('stale', 'lease lost'));
    }
    this.#started(delivery);
    return attempt;
  }

  /** Runs the handler when it has a permit. A job that gets none in time is handed back, as on a shutdown. */
  async #handle(delivery: Delivery, attempt: RunningAttempt, payload: unknown): Promise<Ending> {
    const lease = this.#permits.acquire();
    if (!(lease === true || (await lease))) {
      attempt.stop('shutdown');
      return { kind: 'abandoned' };
    }
    try {
      const ending = await withinAttempt(attempt.span, () =>
        runHandler(this.#scope, delivery, attempt, payload, this.#handler),
      );
      this.#prefetch.handled(attempt.ranMs ?? 0);
      return ending;
    } finally {
      this.#permits.release();
    }
  }

  #finish(delivery: Delivery, attempt: RunningAttempt, ending: Ending): Promise<void> {
    return withinAttempt(attempt.span, () => finishAttempt(this.#scope, delivery, attempt, ending));
  }

  #fail(delivery: Delivery, error: unknown): void {
    const scope = this.#scope;
    const log = jobLog(scope, delivery.work.event);
    scope.counts.faults++;
    if (scope.halt.aborted) {
      log.warn({ error }, 'the host stops with an unknown outcome; the job is delivered again');
      return;
    }
    const waitMs = Math.min(FAULT_WAIT_MS * 2 ** Math.min(delivery.deliveryCount - 1, 10), MAX_FAULT_WAIT_MS);
    log.error({ error, waitMs }, 'an attempt could not be started or finished; the job is delivered again');
    delivery.nak(waitMs);
  }
}
