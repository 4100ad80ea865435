// One attempt whose `started` event is stored, and the signals that tell its handler to stop.
import type { LifecycleEvent } from '@trellis/contracts';
import { JobStopped, type StopReason } from '../errors.ts';
import type { AttemptSpan } from '../telemetry/attempt-span.ts';

/** An abort signal that is made on first use: few handlers read it. */
class LazySignal {
  #controller: AbortController | undefined;
  #reason: unknown;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: JobStopped): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }
}

const ENDED_BY_OTHERS: ReadonlySet<StopReason> = new Set(['cancelled', 'expired', 'dead', 'stale']);

/** What is known of an attempt when its `started` is stored. */
export interface StartedAttempt {
  /** From 1. */
  attempt: number;
  maxTries: number;
  /** Only messages stored after this sequence concern it. */
  afterSequence: number;
  startedSequence: number;
  /** Undefined without an OpenTelemetry SDK. */
  span: AttemptSpan | undefined;
}

/** One attempt whose `started` is stored. */
export class RunningAttempt {
  readonly jobId: string;
  /** From 1. */
  readonly number: number;
  readonly maxTries: number;
  /** Sequence of its `started`, and of the last event that it is known to have published. */
  readonly startedSequence: number;
  lastSequence: number;
  /** Only messages stored after this sequence concern this attempt. */
  readonly afterSequence: number;
  /** Undefined without an OpenTelemetry SDK. */
  readonly span: AttemptSpan | undefined;
  /** How long its handler ran, in milliseconds. */
  ranMs: number | undefined;
  readonly #stop = new LazySignal();
  readonly #shutdown = new LazySignal();
  #stopped: StopReason | undefined;
  #noticedStop = false;
  #noticedShutdown = false;
  #abandoned = false;
  #onAbandon: (() => void) | undefined;
  /** The event that requested the cancellation. */
  request: LifecycleEvent | undefined;

  constructor(jobId: string, begun: StartedAttempt) {
    this.jobId = jobId;
    this.number = begun.attempt;
    this.maxTries = begun.maxTries;
    this.afterSequence = begun.afterSequence;
    this.startedSequence = begun.startedSequence;
    this.lastSequence = begun.startedSequence;
    this.span = begun.span;
  }

  /** Why it was told to stop; the strongest reason so far. */
  get stopped(): StopReason | undefined {
    return this.#stopped;
  }

  /** Whether the handler has read the signal that told it to stop. A handler that never read it did not stop because of it. */
  get noticed(): boolean {
    return this.#stopped === 'shutdown' ? this.#noticedShutdown : this.#noticedStop;
  }

  /** Aborts when the job was cancelled or ended by others. Reading it counts as noticing. */
  get signal(): AbortSignal {
    this.#noticedStop = true;
    return this.#stop.signal;
  }

  /** Aborts when the host stops. Reading it counts as noticing. */
  get shutdown(): AbortSignal {
    this.#noticedShutdown = true;
    return this.#shutdown.signal;
  }

  /** Calls `tell` when the host no longer waits for this handler. */
  whenAbandoned(tell: () => void): void {
    this.#onAbandon = tell;
    if (this.#abandoned) tell();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#onAbandon?.();
  }

  /** Tells the handler to stop. The end of the job outranks a requested cancellation, which outranks a shutdown. */
  stop(because: StopReason, detail?: string): void {
    if (because === 'shutdown') {
      if (this.#stopped === undefined) this.span?.note(because, detail);
      this.#stopped ??= because;
      this.#shutdown.abort(new JobStopped(because, detail));
      return;
    }
    if (this.#stopped !== undefined && ENDED_BY_OTHERS.has(this.#stopped)) return;
    if (this.#stopped !== because) this.span?.note(because, detail);
    this.#stopped = because;
    this.#stop.abort(new JobStopped(because, detail));
  }
}
