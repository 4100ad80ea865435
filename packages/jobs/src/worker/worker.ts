// Works one queue in one process: pulls what it can start, keeps what it holds from being delivered to others, runs it,
// gives it back when the host stops. What happens to one message is attempt-runner.ts.
import type { JsMsg } from '@nats-io/jetstream';
import { type Loop, loop, sleep } from '@trellis/async';
import type { QueuedJob } from '@trellis/contracts';
import type { KeyIdentity } from '@trellis/lifecycle';
import type { Handler } from '../attempt/run-handler.ts';
import { LateAcks } from '../delivery/ack-batcher.ts';
import { HeldWork } from '../delivery/delivery.ts';
import { WorkInHand } from '../delivery/delivery-registry.ts';
import { WorkFront } from '../delivery/delivery-watermark.ts';
import { workToStart } from '../delivery/read-parked-work.ts';
import { readWorkMessage, type Work } from '../delivery/work-message.ts';
import { listenForFreeKeys, takeHinted } from '../keys/key-hints.ts';
import { isKeyed, type KeyPlace } from '../keys/key-lease.ts';
import { KeyTurns } from '../keys/local-key-queue.ts';
import { showMetrics } from '../telemetry/attempt-ended.ts';
import { AttemptRunner } from './attempt-runner.ts';
import { type StopWatch, watchStops } from './cancellation-watcher.ts';
import { type Stage, Underway } from './in-flight.ts';
import { StartAhead } from './prefetch-window.ts';
import { announceWorker } from './presence.ts';
import { HandlerSlots } from './semaphore.ts';
import { PatientLine } from './timeout-queue.ts';
import { ensureWorkConsumer } from './work-consumer.ts';
import { WorkPull } from './work-pull.ts';
import type { WorkerScope } from './worker-scope.ts';

/** How long a handler may take to end after the shutdown signal. */
const SETTLE_MS = 2_000;
/** How long outcomes may still take to be stored after that. */
const HALT_MS = 5_000;
/** Jobs of one key that are started in a row before other work gets its turn; what came before that work and waits in hand may go on. */
const MAX_CHAIN = 3;
/** What this process took in hand and cannot go on with goes back after this long: others may be idle. */
const PATIENCE_MS = 1_000;
/** No longer than it would be parked. */
const KEY_PATIENCE_MS = 2_000;
/** Work in hand that waits for keys; what is more takes the room of work that could be begun. */
const KEY_WAITING = 500;
/** Handlers that have ended and whose outcomes are not stored yet; more of them, and nothing new is begun. */
const MAX_FINISHING = 1_000;

export interface WorkerOptions {
  heartbeatIntervalMs: number;
}

export class QueueWorker {
  readonly #scope: WorkerScope;
  readonly #options: WorkerOptions;
  /** Aborts when no more work is to be taken. */
  readonly #closing = new AbortController();
  /** Aborts when nothing is held any more. */
  readonly #closed = new AbortController();
  /** Aborts when the host waits for the servers no longer. */
  readonly #halt = new AbortController();
  readonly #held = new WorkInHand();
  /** Held and not begun: handlers became slower meanwhile, or a pull brought more than was asked for. */
  readonly #waiting = new PatientLine<HeldWork>(PATIENCE_MS, (held) => this.#leave(held));
  readonly #turns: KeyTurns;
  readonly #runner: AttemptRunner;
  readonly #underway = new Underway();
  readonly #slots: HandlerSlots;
  readonly #ahead: StartAhead;
  readonly #pull = new WorkPull(
    () => this.#room() - this.#waiting.size - Math.max(0, this.#turns.waiting - KEY_WAITING),
    (message) => this.#arrive(message),
  );
  readonly #front = new WorkFront();
  #ackWaitMs: number;
  #pulling: Loop | undefined;
  #loops: Loop[] = [];
  #stops: StopWatch | undefined;

  constructor(scope: Omit<WorkerScope, 'acks' | 'halt'>, handler: Handler<unknown, unknown>, options: WorkerOptions) {
    this.#scope = {
      ...scope,
      acks: new LateAcks(scope.stream.pipe),
      halt: this.#halt.signal,
      host: {
        startsNext: (held, keyHash, next) => this.#startsNext(held, keyHash, next),
        comesByItself: (keyHash, { jobId, createdAt }) =>
          this.#turns.find(keyHash, jobId) !== undefined || this.#front.comesByItself(createdAt),
        runsAlready: (held) => this.#held.besides(held).some(({ place }) => place !== undefined),
      },
    };
    this.#options = options;
    this.#ackWaitMs = scope.queue.settings.ackWaitMs;
    const { maxActive } = scope.keyed?.limits ?? { maxActive: 1 };
    this.#turns = new KeyTurns(maxActive, KEY_PATIENCE_MS, (held) => this.#lineUp(held));
    this.#ahead = new StartAhead({ keyed: scope.keyed !== undefined });
    this.#slots = new HandlerSlots(scope.queue.settings.concurrency, PATIENCE_MS);
    this.#runner = new AttemptRunner(this.#scope, handler, this.#slots, this.#ahead, (held) => {
      if (held.hinted) this.#stops?.follow(held);
    });
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
          await sleep(this.#ackWaitMs / 3, until);
          await stops.recheck();
        },
      }),
      announceWorker(scope, () => this.activeJobs(), { intervalMs: this.#options.heartbeatIntervalMs, signal }),
    ];
    if (isKeyed(scope)) {
      const hasRoom = () => this.#room() - this.#waiting.size > 0;
      const answer = (identity: KeyIdentity) => this.#begin((stage) => this.#answerHint(identity, stage));
      listenForFreeKeys(scope, hasRoom, answer, this.#closing.signal);
    }
    const backoff = { firstMs: 100, maxMs: 2_000 };
    this.#pulling = loop(`work of ${name}`, {
      signal: this.#closing.signal,
      log,
      backoff,
      run: (until) => this.#takeWork(until),
    });
  }

  /** Ids of the jobs that are active here: their handlers run, or are about to. */
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
    const grace = new AbortController();
    const graceOver = sleep(graceMs, grace.signal);
    // Only when no pull is open any more: what is given back would come straight back to it.
    await this.#pull.end(this.#pulling?.done ?? Promise.resolve());
    for (const held of [...this.#turns.clear(), ...this.#waiting.clear()]) this.#leave(held);
    await Promise.race([this.#underway.idle(), graceOver]);
    grace.abort();
    for (const { attempt } of this.#held.values()) attempt?.stop('shutdown');
    this.#slots.close();
    await this.#underway.idleWithin(SETTLE_MS);
    for (const { attempt } of this.#held.values()) attempt?.abandon();
    await this.#underway.idleWithin(HALT_MS);
    this.#halt.abort();
    await this.#underway.idle();
    await this.#scope.acks.flush();
    this.#closed.abort();
    this.#stops?.close();
    await Promise.all(this.#loops.map(({ done }) => done));
  }

  #consumerOf() {
    const { service, jobType, queue } = this.#scope;
    return { service, jobType, ackWaitMs: queue.settings.ackWaitMs };
  }

  /** Pulls until told to stop; throws when the consumer or the connection is gone, to begin anew. */
  async #takeWork(signal: AbortSignal): Promise<void> {
    const { consumer, ackWaitMs } = await ensureWorkConsumer(this.#scope.stream, this.#consumerOf(), this.#scope.log);
    this.#ackWaitMs = ackWaitMs;
    await this.#pull.run(consumer, signal);
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
    if (isKeyed(this.#scope)) this.#front.arrived(message, read.work);
    const already = this.#held.get(read.work.key);
    if (already) {
      already.message = message;
      return;
    }
    counts.delivered++;
    const held = new HeldWork(read.work, message, this.#ackWaitMs);
    this.#held.add(held);
    held.key = this.#scope.keyed?.keyOfEvent(read.work.event);
    // With slow handlers it would only keep others waiting behind it.
    if (this.#turns.isTaken(held) && this.#ahead.quick) this.#turns.wait(held);
    else this.#lineUp(held);
    this.#pull.changed();
  }

  /** It is to be begun as soon as there is room. */
  #lineUp(held: HeldWork): void {
    this.#turns.enter(held);
    // What can be begun at once need not stand in line.
    if (this.#waiting.size === 0 && this.#mayBegin()) this.#beginWith(held);
    else this.#waiting.add(held);
    this.#beginWaiting();
  }

  /** What is not begun here goes to whoever has room. */
  #leave(held: HeldWork): void {
    this.#held.delete(held);
    held.giveBack(0);
    this.#endTurn(held);
  }

  /** The key of this work may have become free: what waits here for it is begun. */
  #endTurn(held: HeldWork): void {
    const next = this.#turns.leave(held);
    if (next) this.#lineUp(next);
  }

  /** The first of those that wait for the key that `held` leaves is started here if it is at hand, or would come late. */
  #startsNext(held: HeldWork, keyHash: string, { jobId, createdAt }: QueuedJob): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#turns.find(keyHash, jobId)) return held.chain < MAX_CHAIN || this.#waiting.size === 0;
    return held.chain < MAX_CHAIN && this.#waiting.size === 0 && !this.#front.comesByItself(createdAt);
  }

  /** How many may be begun: as many as have a place to run in, and those that are started ahead. */
  #most(): number {
    const { concurrency } = this.#scope.queue.settings;
    return concurrency + this.#ahead.limit(concurrency, this.#slots.stuckMs);
  }

  #room(): number {
    return this.#underway.finishing >= MAX_FINISHING ? 0 : this.#most() - this.#underway.unhandled;
  }

  #mayBegin(): boolean {
    return !this.#closing.signal.aborted && this.#room() > 0;
  }

  #beginWaiting(): void {
    while (this.#waiting.size > 0 && this.#mayBegin()) this.#beginWith(this.#waiting.shift() as HeldWork);
    this.#pull.changed();
  }

  #beginWith(held: HeldWork): void {
    this.#begin((stage) => this.#workThrough(held, stage));
  }

  #begin(work: (stage: Stage) => Promise<void>): void {
    this.#underway.begin(work, () => this.#beginWaiting());
  }

  /** Work in hand, then what its key passes on to this worker. */
  async #workThrough(first: HeldWork, stage: Stage): Promise<void> {
    let held: HeldWork | undefined = first;
    for (let chain = 0; held !== undefined; chain++) {
      held.chain = chain;
      stage.unhandled();
      this.#turns.enter(held);
      await this.#runner.run(held, () => this.#handled(stage));
      this.#held.delete(held);
      const next: HeldWork | undefined = held.next && (await this.#workOf(held.next));
      if (next) this.#turns.enter(next);
      this.#endTurn(held);
      held = next;
    }
  }

  #handled(stage: Stage): void {
    stage.handled();
    this.#beginWaiting();
  }

  /** The work of a place that was passed on to this worker; undefined when there is nothing to start. Never rejects. */
  async #workOf(place: KeyPlace): Promise<HeldWork | undefined> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return undefined;
    const waiting = this.#turns.find(place.identity.keyHash, place.jobId);
    if (waiting) {
      this.#turns.delete(waiting);
      waiting.place = place;
      return waiting;
    }
    return workToStart(scope, place, (work, of) => this.#takeInHand(work, of));
  }

  /** Undefined while its message is being looked at by this very worker. */
  #takeInHand(work: Work, place: KeyPlace): HeldWork | undefined {
    const already = this.#held.get(work.key);
    if (already !== undefined && !this.#waiting.delete(already) && !this.#turns.delete(already)) return undefined;
    const held = already ?? new HeldWork(work, undefined, this.#ackWaitMs);
    held.key = place.identity;
    held.place = place;
    this.#held.add(held);
    return held;
  }

  /** A key became free: the head of its queue, if this worker has room. */
  async #answerHint(identity: KeyIdentity, stage: Stage): Promise<void> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return;
    const place = await takeHinted(scope, identity, this.#closing.signal);
    const held = place && (await this.#workOf(place));
    if (held) await this.#workThrough(held, stage);
  }

  /** Tells the server that everything held is being worked on, also what waits for a slot. */
  async #extend(signal: AbortSignal): Promise<void> {
    for (const held of this.#held.values()) held.message?.working();
    await sleep(this.#ackWaitMs / 3, signal);
  }
}
