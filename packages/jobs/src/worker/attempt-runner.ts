// Runs one piece of work from its arrival to its answer: it is begun, handled when a place is free, finished. Which work that
// is, and what is begun after it, is left to the worker.

import { type Begun, beginAttempt } from '../attempt/begin-attempt.ts';
import type { Ending } from '../attempt/decide-outcome.ts';
import { finishAttempt } from '../attempt/finish-attempt.ts';
import { type Handler, runHandler } from '../attempt/run-handler.ts';
import { type HeldWork, RunningAttempt } from '../delivery/delivery.ts';
import { isKeyed, keepLease } from '../keys/key-lease.ts';
import { withinAttempt } from '../telemetry/attempt-span.ts';
import type { StartAhead } from './prefetch-window.ts';
import type { HandlerSlots } from './semaphore.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

const FAULT_WAIT_MS = 1_000;
const MAX_FAULT_WAIT_MS = 30_000;

export class AttemptRunner {
  readonly #scope: WorkerScope;
  readonly #handler: Handler<unknown, unknown>;
  readonly #slots: HandlerSlots;
  readonly #ahead: StartAhead;
  readonly #started: (held: HeldWork) => void;

  /** @param started is told of work whose handler may begin */
  constructor(
    scope: WorkerScope,
    handler: Handler<unknown, unknown>,
    slots: HandlerSlots,
    ahead: StartAhead,
    started: (held: HeldWork) => void,
  ) {
    this.#scope = scope;
    this.#handler = handler;
    this.#slots = slots;
    this.#ahead = ahead;
    this.#started = started;
  }

  /** Never rejects. `handled` is called when the handler has ended, before its outcome is stored. */
  async run(held: HeldWork, handled: () => void): Promise<void> {
    let attempt: RunningAttempt | undefined;
    try {
      const began = performance.now();
      const begun = await beginAttempt(this.#scope, held);
      if (begun.kind === 'settled') return;
      this.#ahead.started(performance.now() - began);
      attempt = this.#attemptOf(held, begun);
      const ending = await this.#handle(held, attempt, begun.payload);
      handled();
      // From here on its own outcome must not look like somebody else's.
      held.attempt = undefined;
      await this.#finish(held, attempt, ending);
    } catch (error) {
      attempt?.span?.lost(error);
      this.#faulted(held, error);
    } finally {
      held.lease?.stop();
      held.attempt = undefined;
    }
  }

  #attemptOf(held: HeldWork, begun: Extract<Begun, { kind: 'run' }>): RunningAttempt {
    const scope = this.#scope;
    const attempt = new RunningAttempt(held.work.jobId, begun);
    held.attempt = attempt;
    if (isKeyed(scope) && held.place) {
      held.lease = keepLease(scope, held.place, () => attempt.stop('stale', 'another one has its place'));
    }
    this.#started(held);
    return attempt;
  }

  /** Runs the handler when there is a place for it; a job that gets none is given back as one that a stop interrupts. */
  async #handle(held: HeldWork, attempt: RunningAttempt, payload: unknown): Promise<Ending> {
    const place = this.#slots.take();
    if (!(place === true || (await place))) {
      attempt.stop('shutdown');
      return { kind: 'abandoned' };
    }
    try {
      const ending = await withinAttempt(attempt.span, () =>
        runHandler(this.#scope, held, attempt, payload, this.#handler),
      );
      this.#ahead.handled(attempt.ranMs ?? 0);
      return ending;
    } finally {
      this.#slots.giveBack();
    }
  }

  #finish(held: HeldWork, attempt: RunningAttempt, ending: Ending): Promise<void> {
    return withinAttempt(attempt.span, () => finishAttempt(this.#scope, held, attempt, ending));
  }

  #faulted(held: HeldWork, error: unknown): void {
    const scope = this.#scope;
    const log = jobLog(scope, held.work.event);
    scope.counts.faults++;
    if (scope.halt.aborted) {
      log.warn({ error }, 'the host stops with an unknown outcome; the work comes again');
      return;
    }
    const waitMs = Math.min(FAULT_WAIT_MS * 2 ** Math.min(held.deliveryCount - 1, 10), MAX_FAULT_WAIT_MS);
    log.error({ error, waitMs }, 'work could not be begun or finished; it comes again');
    held.giveBack(waitMs);
  }
}
