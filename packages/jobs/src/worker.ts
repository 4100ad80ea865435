// Works one queue in one process: pulls what it can start, keeps what it holds from being delivered to others, runs it,
// gives it back when the host stops. What happens to one message is begin-attempt, run-handler and finish-attempt.
import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { KeyIdentity } from '@trellis/lifecycle';
import { abortable, type Loop, loop } from '@trellis/runtime';
import { showMetrics } from './attempt-ended.ts';
import { type AttemptSpan, withinAttempt } from './attempt-span.ts';
import { beginAttempt } from './begin-attempt.ts';
import type { Ending } from './decide-outcome.ts';
import { finishAttempt } from './finish-attempt.ts';
import { HeldWork, RunningAttempt } from './held-work.ts';
import { listenForFreeKeys, takeHinted } from './key-hints.ts';
import { isKeyed, type KeyPlace, keepLease } from './key-place.ts';
import { announceWorker } from './presence.ts';
import { type Handler, runHandler } from './run-handler.ts';
import { workToStart } from './start-from-stream.ts';
import { type StopWatch, watchStops } from './watch-stops.ts';
import { ensureWorkConsumer } from './work-consumer.ts';
import { readWorkMessage, type Work } from './work-message.ts';
import { jobLog, type WorkerScope } from './worker-scope.ts';

/** How long one pull stays open; a stop waits for it, so that nothing that was sent to it is lost. */
const PULL_MS = 2_000;
const PULL_LATE_MS = 1_000;
const FAULT_WAIT_MS = 1_000;
const MAX_FAULT_WAIT_MS = 30_000;
/** How long a handler may take to end after the shutdown signal. */
const SETTLE_MS = 2_000;
/** How long outcomes may still take to be stored after that. */
const HALT_MS = 5_000;
/** Jobs of one key that are started in a row before other work gets its turn. */
const MAX_CHAIN = 3;

export interface WorkerOptions {
  heartbeatIntervalMs: number;
}

export class QueueWorker {
  readonly #scope: WorkerScope;
  readonly #handler: Handler<unknown, unknown>;
  readonly #options: WorkerOptions;
  /** Aborts when no more work is to be taken. */
  readonly #closing = new AbortController();
  /** Aborts when nothing is held any more. */
  readonly #closed = new AbortController();
  /** Aborts when the host waits for the servers no longer. */
  readonly #halt = new AbortController();
  /** The grace is over: what begins now goes back without running. */
  #graceOver = false;
  readonly #held = new Map<string, HeldWork>();
  /** Held beyond the free slots: a pull that was renewed after a reconnect may bring more than was asked for. */
  readonly #waiting: HeldWork[] = [];
  readonly #running = new Set<Promise<void>>();
  #slot = Promise.withResolvers<void>();
  #ackWaitMs: number;
  #openPull: ConsumerMessages | undefined;
  #pulling: Loop | undefined;
  #loops: Loop[] = [];
  #stops: StopWatch | undefined;

  constructor(scope: Omit<WorkerScope, 'halt'>, handler: Handler<unknown, unknown>, options: WorkerOptions) {
    this.#scope = {
      ...scope,
      halt: this.#halt.signal,
      host: {
        mayPromote: (held) => !this.#closing.signal.aborted && this.#waiting.length === 0 && held.chain < MAX_CHAIN,
        runsAlready: (held) =>
          this.#held.values().some((other) => other !== held && other.work.jobId === held.work.jobId && !!other.place),
      },
    };
    this.#handler = handler;
    this.#options = options;
    this.#ackWaitMs = scope.queue.settings.ackWaitMs;
  }

  /** Begins to work. @throws {ConsumerConflict} when the queue's consumer belongs to somebody else */
  async start(): Promise<void> {
    const scope = this.#scope;
    const name = `${scope.service}/${scope.jobType}`;
    showMetrics(scope);
    const { ackWaitMs } = await ensureWorkConsumer(scope.stream, this.#consumerOf(), scope.log);
    this.#ackWaitMs = ackWaitMs;
    if (isKeyed(scope) && ackWaitMs > scope.keyed.longestParkMs) {
      const facts = { ackWaitMs, atMost: scope.keyed.longestParkMs };
      scope.log.warn(facts, 'the work consumer waits longer than half a lease: jobs of lost workers may turn stale');
    }
    const held = () => this.#held.values();
    const stops = watchStops(scope, held, this.#closed.signal);
    this.#stops = stops;
    const { log } = scope;
    const signal = this.#closed.signal;
    this.#loops = [
      loop(`ack extension of ${name}`, { signal, log, run: (until) => this.#extend(until) }),
      loop(`cancellation check of ${name}`, {
        signal,
        log,
        run: async (until) => {
          await abortable(until, this.#ackWaitMs / 3);
          await stops.recheck();
        },
      }),
      announceWorker(scope, () => this.activeJobs(), { intervalMs: this.#options.heartbeatIntervalMs, signal }),
    ];
    if (isKeyed(scope)) {
      const hasRoom = () => this.#free() > 0;
      const answer = (identity: KeyIdentity) => this.#occupy(this.#answerHint(identity));
      listenForFreeKeys(scope, hasRoom, answer, this.#closing.signal);
    }
    const backoff = { firstMs: 100, maxMs: 2_000 };
    this.#pulling = loop(`work of ${name}`, {
      signal: this.#closing.signal,
      log,
      backoff,
      run: (until) => this.#pull(until),
    });
  }

  /** Ids of the jobs whose handlers run now. */
  activeJobs(): string[] {
    return Array.from(this.#held.values()).flatMap((held) => (held.attempt ? [held.work.jobId] : []));
  }

  /** The error that keeps the worker from taking work; undefined while it does. */
  get fault(): unknown {
    return this.#pulling?.lastError;
  }

  /** Looks whether running jobs were stopped while no hints could arrive. */
  async recheck(): Promise<void> {
    await this.#stops?.recheck();
  }

  /**
   * Takes no more work, waits up to `graceMs` for what runs, then tells it to stop, gives it back and returns. What was
   * pulled and not started goes back at once.
   */
  async stop(graceMs: number): Promise<void> {
    this.#closing.abort();
    this.#freeSlot();
    const grace = new AbortController();
    const graceOver = abortable(grace.signal, graceMs);
    // Only when no pull is open any more: what is given back would come straight back to it.
    await this.#pullsEnded();
    for (const held of this.#waiting.splice(0)) {
      this.#held.delete(held.work.key);
      held.giveBack(0);
    }
    await Promise.race([this.#idle(), graceOver]);
    grace.abort();
    this.#graceOver = true;
    for (const { attempt } of this.#held.values()) attempt?.stop('shutdown');
    await this.#idleWithin(SETTLE_MS);
    for (const { attempt } of this.#held.values()) attempt?.abandon();
    await this.#idleWithin(HALT_MS);
    this.#halt.abort();
    await this.#idle();
    this.#closed.abort();
    this.#stops?.close();
    await Promise.all(this.#loops.map(({ done }) => done));
  }

  /** An open pull ends by itself; one whose server is gone does not. */
  async #pullsEnded(): Promise<void> {
    const ended = this.#pulling?.done ?? Promise.resolve();
    const timer = new AbortController();
    await Promise.race([ended, abortable(timer.signal, PULL_MS + PULL_LATE_MS)]);
    timer.abort();
    this.#openPull?.stop();
    await ended;
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #idleWithin(ms: number): Promise<void> {
    const timer = new AbortController();
    await Promise.race([this.#idle(), abortable(timer.signal, ms)]);
    timer.abort();
  }

  #consumerOf() {
    const { service, jobType, queue } = this.#scope;
    return { service, jobType, ackWaitMs: queue.settings.ackWaitMs };
  }

  /** Pulls until told to stop; throws when the consumer or the connection is gone, to begin anew. */
  async #pull(signal: AbortSignal): Promise<void> {
    const { consumer, ackWaitMs } = await ensureWorkConsumer(this.#scope.stream, this.#consumerOf(), this.#scope.log);
    this.#ackWaitMs = ackWaitMs;
    while (!signal.aborted) {
      const free = this.#free();
      if (free <= 0) {
        await this.#slot.promise;
        continue;
      }
      const messages = await consumer.fetch({ max_messages: free, expires: PULL_MS });
      this.#openPull = messages;
      for await (const message of messages) this.#arrive(message);
    }
  }

  #arrive(message: JsMsg): void {
    const { service, jobType, stream, counts, log } = this.#scope;
    const read = readWorkMessage(message, { service, jobType, jobsStream: stream.names.jobs });
    if (read.kind === 'refused') {
      counts.quarantined++;
      log.error(
        { workSequence: message.seq, subject: message.subject, reason: read.reason },
        'a work message is quarantined',
      );
      message.term(read.reason.slice(0, 200));
      return;
    }
    const already = this.#held.get(read.work.key);
    if (already) {
      already.message = message;
      return;
    }
    counts.delivered++;
    const held = new HeldWork(read.work, message, this.#ackWaitMs);
    this.#held.set(read.work.key, held);
    this.#waiting.push(held);
    this.#startWaiting();
  }

  #startWaiting(): void {
    while (this.#running.size < this.#scope.queue.settings.concurrency && !this.#closing.signal.aborted) {
      const held = this.#waiting.shift();
      if (held === undefined) return;
      this.#occupy(this.#workThrough(held));
    }
  }

  /** `work` takes one of the places that `concurrency` allows, until it has ended. */
  #occupy(work: Promise<void>): void {
    const run = work.finally(() => {
      this.#running.delete(run);
      this.#startWaiting();
      this.#freeSlot();
    });
    this.#running.add(run);
  }

  #free(): number {
    return this.#scope.queue.settings.concurrency - this.#running.size - this.#waiting.length;
  }

  /** Work in hand, then what its key passes on to this worker. */
  async #workThrough(first: HeldWork): Promise<void> {
    let held: HeldWork | undefined = first;
    for (let chain = 0; held !== undefined; chain++) {
      held.chain = chain;
      await this.#work(held);
      this.#held.delete(held.work.key);
      held = await this.#workOf(held.next);
    }
  }

  /** The work of a place that was passed on to this worker; undefined when there is nothing to start. Never rejects. */
  async #workOf(place: KeyPlace | undefined): Promise<HeldWork | undefined> {
    const scope = this.#scope;
    if (place === undefined || !isKeyed(scope)) return undefined;
    return workToStart(scope, place, (work, of) => this.#takeInHand(work, of));
  }

  /** Undefined while its message is being looked at by this very worker. */
  #takeInHand(work: Work, place: KeyPlace): HeldWork | undefined {
    const already = this.#held.get(work.key);
    const index = already === undefined ? -1 : this.#waiting.indexOf(already);
    if (already !== undefined && index < 0) return undefined;
    if (already !== undefined) this.#waiting.splice(index, 1);
    const held = already ?? new HeldWork(work, undefined, this.#ackWaitMs);
    held.key = place.identity;
    held.place = place;
    this.#held.set(work.key, held);
    return held;
  }

  /** A key became free: the head of its queue, if this worker has room. */
  async #answerHint(identity: KeyIdentity): Promise<void> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return;
    const held = await this.#workOf(await takeHinted(scope, identity, this.#closing.signal));
    if (held) await this.#workThrough(held);
  }

  /** One delivery from its arrival to its answer. Never rejects. */
  async #work(held: HeldWork): Promise<void> {
    const scope = this.#scope;
    let lease: { stop(): void } | undefined;
    let span: AttemptSpan | undefined;
    try {
      const begun = await beginAttempt(scope, held);
      if (begun.kind === 'settled') return;
      const { jobId } = held.work;
      const { attempt: number, maxTries, afterSequence } = begun;
      ({ span } = begun);
      const attempt = new RunningAttempt({ jobId, number, maxTries, afterSequence, span });
      attempt.startedSequence = begun.startedSequence;
      attempt.lastSequence = begun.startedSequence;
      held.attempt = attempt;
      if (isKeyed(scope) && held.place) {
        lease = keepLease(scope, held.place, () => attempt.stop('stale', 'another one has its place'));
      }
      if (held.hinted) this.#stops?.follow(held);
      if (this.#graceOver) attempt.stop('shutdown');
      const ending: Ending = this.#graceOver
        ? { kind: 'abandoned' }
        : await withinAttempt(span, () => runHandler(scope, held, attempt, begun.payload, this.#handler));
      // From here on its own outcome must not look like somebody else's.
      held.attempt = undefined;
      await withinAttempt(span, () => finishAttempt(scope, held, attempt, ending));
    } catch (error) {
      span?.lost(error);
      const log = jobLog(scope, held.work.event);
      scope.counts.faults++;
      if (scope.halt.aborted)
        return log.warn({ error }, 'the host stops with an unknown outcome; the work comes again');
      const waitMs = Math.min(FAULT_WAIT_MS * 2 ** Math.min(held.deliveryCount - 1, 10), MAX_FAULT_WAIT_MS);
      log.error({ error, waitMs }, 'work could not be begun or finished; it comes again');
      held.giveBack(waitMs);
    } finally {
      lease?.stop();
      held.attempt = undefined;
    }
  }

  /** Tells the server that everything held is being worked on, also what waits for a slot. */
  async #extend(signal: AbortSignal): Promise<void> {
    for (const held of this.#held.values()) held.message?.working();
    await abortable(signal, this.#ackWaitMs / 3);
  }

  #freeSlot(): void {
    this.#slot.resolve();
    this.#slot = Promise.withResolvers<void>();
  }
}
