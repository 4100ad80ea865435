// Works one queue in one process: pulls what it can start, keeps what it holds from being delivered to others, runs it,
// gives it back when the host stops. What happens to one message is attempt-runner.ts.
import type { JsMsg } from '@nats-io/jetstream';
import { type Loop, loop, Semaphore, sleep, TimeoutQueue } from '@trellis/async';
import type { QueuedJob } from '@trellis/contracts';
import type { KeyIdentity } from '@trellis/lifecycle';
import type { Handler } from '../attempt/run-handler.ts';
import { AckBatcher } from '../delivery/ack-batcher.ts';
import { Delivery } from '../delivery/delivery.ts';
import { DeliveryRegistry } from '../delivery/delivery-registry.ts';
import { DeliveryWatermark } from '../delivery/delivery-watermark.ts';
import { deliveryOfLease } from '../delivery/read-parked-work.ts';
import { readWorkMessage, type Work } from '../delivery/work-message.ts';
import { listenForFreeKeys, takeHinted } from '../keys/key-hints.ts';
import { isKeyed } from '../keys/key-lease.ts';
import type { KeyLease } from '../keys/lease.ts';
import { LocalKeyQueue } from '../keys/local-key-queue.ts';
import { initMetrics } from '../telemetry/attempt-ended.ts';
import { AttemptRunner } from './attempt-runner.ts';
import { type CancellationWatcher, watchCancellations } from './cancellation-watcher.ts';
import { InFlight, type Stage } from './in-flight.ts';
import { PrefetchWindow } from './prefetch-window.ts';
import { announceWorker } from './presence.ts';
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
  readonly #deliveries = new DeliveryRegistry();
  /** Held and not begun: handlers became slower meanwhile, or a pull brought more than was asked for. */
  readonly #backlog = new TimeoutQueue<Delivery>(PATIENCE_MS, (delivery) => this.#nakUnstarted(delivery));
  readonly #keyQueue: LocalKeyQueue;
  readonly #runner: AttemptRunner;
  readonly #inFlight = new InFlight();
  readonly #permits: Semaphore;
  readonly #prefetch: PrefetchWindow;
  readonly #pull = new WorkPull(
    () => this.#freeRoom() - this.#backlog.size - Math.max(0, this.#keyQueue.waiting - KEY_WAITING),
    (message) => this.#receive(message),
  );
  readonly #watermark = new DeliveryWatermark();
  #ackWaitMs: number;
  #pulling: Loop | undefined;
  #loops: Loop[] = [];
  #cancellations: CancellationWatcher | undefined;

  constructor(scope: Omit<WorkerScope, 'acks' | 'halt'>, handler: Handler<unknown, unknown>, options: WorkerOptions) {
    this.#scope = {
      ...scope,
      acks: new AckBatcher(scope.stream.pipe),
      halt: this.#halt.signal,
      host: {
        startsNext: (delivery, keyHash, next) => this.#startsNext(delivery, keyHash, next),
        willArrive: (keyHash, { jobId, createdAt }) =>
          this.#keyQueue.find(keyHash, jobId) !== undefined || this.#watermark.willArrive(createdAt),
        holdsOtherDelivery: (delivery) =>
          this.#deliveries.othersOfJob(delivery).some(({ lease }) => lease !== undefined),
      },
    };
    this.#options = options;
    this.#ackWaitMs = scope.queue.settings.ackWaitMs;
    const { maxActive } = scope.keyed?.limits ?? { maxActive: 1 };
    this.#keyQueue = new LocalKeyQueue(maxActive, KEY_PATIENCE_MS, (delivery) => this.#enqueue(delivery));
    this.#prefetch = new PrefetchWindow({ keyed: scope.keyed !== undefined });
    this.#permits = new Semaphore(scope.queue.settings.concurrency, PATIENCE_MS);
    this.#runner = new AttemptRunner(this.#scope, handler, this.#permits, this.#prefetch, (delivery) => {
      if (delivery.hinted) this.#cancellations?.follow(delivery);
    });
  }

  /** Begins to work. @throws {ConsumerConflict} when the queue's consumer belongs to somebody else */
  async start(): Promise<void> {
    const scope = this.#scope;
    const name = `${scope.service}/${scope.jobType}`;
    initMetrics(scope);
    const { ackWaitMs } = await ensureWorkConsumer(scope.stream, this.#consumerOf(), scope.log);
    this.#ackWaitMs = ackWaitMs;
    if (isKeyed(scope) && ackWaitMs > scope.keyed.longestParkMs) {
      const facts = { ackWaitMs, atMost: scope.keyed.longestParkMs };
      scope.log.warn(facts, 'the work consumer waits longer than half a lease: jobs of lost workers may turn stale');
    }
    const delivery = () => this.#deliveries.values();
    const stops = watchCancellations(scope, delivery, this.#closed.signal);
    this.#cancellations = stops;
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
      const hasRoom = () => this.#freeRoom() - this.#backlog.size > 0;
      const answer = (identity: KeyIdentity) => this.#start((stage) => this.#answerHint(identity, stage));
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
    return Array.from(this.#deliveries.values()).flatMap((delivery) => (delivery.attempt ? [delivery.work.jobId] : []));
  }

  /** The error that keeps the worker from taking work; undefined while it does. */
  get fault(): unknown {
    return this.#pulling?.lastError;
  }

  /** Looks whether running jobs were stopped while no hints could arrive. */
  async recheck(): Promise<void> {
    await this.#cancellations?.recheck();
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
    for (const delivery of [...this.#keyQueue.clear(), ...this.#backlog.clear()]) this.#nakUnstarted(delivery);
    await Promise.race([this.#inFlight.idle(), graceOver]);
    grace.abort();
    for (const { attempt } of this.#deliveries.values()) attempt?.stop('shutdown');
    this.#permits.close();
    await this.#inFlight.idleWithin(SETTLE_MS);
    for (const { attempt } of this.#deliveries.values()) attempt?.abandon();
    await this.#inFlight.idleWithin(HALT_MS);
    this.#halt.abort();
    await this.#inFlight.idle();
    await this.#scope.acks.flush();
    this.#closed.abort();
    this.#cancellations?.close();
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

  #receive(message: JsMsg): void {
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
    if (isKeyed(this.#scope)) this.#watermark.arrived(message, read.work);
    const already = this.#deliveries.get(read.work.key);
    if (already) {
      already.message = message;
      return;
    }
    counts.delivered++;
    const delivery = new Delivery(read.work, message, this.#ackWaitMs);
    this.#deliveries.add(delivery);
    delivery.key = this.#scope.keyed?.keyOfEvent(read.work.event);
    // With slow handlers it would only keep others waiting behind it.
    if (this.#keyQueue.isFull(delivery) && this.#prefetch.handlersAreQuick) this.#keyQueue.add(delivery);
    else this.#enqueue(delivery);
    this.#pull.roomChanged();
  }

  /** It is to be begun as soon as there is room. */
  #enqueue(delivery: Delivery): void {
    this.#keyQueue.enter(delivery);
    // What can be begun at once need not stand in line.
    if (this.#backlog.size === 0 && this.#hasRoom()) this.#startDelivery(delivery);
    else this.#backlog.add(delivery);
    this.#startWaiting();
  }

  /** What is not begun here goes to whoever has room. */
  #nakUnstarted(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    delivery.nak(0);
    this.#leaveKeyQueue(delivery);
  }

  /** The key of this work may have become free: what waits here for it is begun. */
  #leaveKeyQueue(delivery: Delivery): void {
    const next = this.#keyQueue.leave(delivery);
    if (next) this.#enqueue(next);
  }

  /** The first of those that wait for the key that `held` leaves is started here if it is at hand, or would come late. */
  #startsNext(delivery: Delivery, keyHash: string, { jobId, createdAt }: QueuedJob): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#keyQueue.find(keyHash, jobId)) return delivery.chain < MAX_CHAIN || this.#backlog.size === 0;
    return delivery.chain < MAX_CHAIN && this.#backlog.size === 0 && !this.#watermark.willArrive(createdAt);
  }

  /** How many may be begun: as many as have a place to run in, and those that are started ahead. */
  #limit(): number {
    const { concurrency } = this.#scope.queue.settings;
    return concurrency + this.#prefetch.limit(concurrency, this.#permits.stuckMs);
  }

  #freeRoom(): number {
    return this.#inFlight.finishing >= MAX_FINISHING ? 0 : this.#limit() - this.#inFlight.unhandled;
  }

  #hasRoom(): boolean {
    return !this.#closing.signal.aborted && this.#freeRoom() > 0;
  }

  #startWaiting(): void {
    while (this.#backlog.size > 0 && this.#hasRoom()) this.#startDelivery(this.#backlog.shift() as Delivery);
    this.#pull.roomChanged();
  }

  #startDelivery(delivery: Delivery): void {
    this.#start((stage) => this.#runChain(delivery, stage));
  }

  #start(work: (stage: Stage) => Promise<void>): void {
    this.#inFlight.run(work, () => this.#startWaiting());
  }

  /** Work in hand, then what its key passes on to this worker. */
  async #runChain(first: Delivery, stage: Stage): Promise<void> {
    let delivery: Delivery | undefined = first;
    for (let chain = 0; delivery !== undefined; chain++) {
      delivery.chain = chain;
      stage.unhandled();
      this.#keyQueue.enter(delivery);
      await this.#runner.run(delivery, () => this.#handled(stage));
      this.#deliveries.delete(delivery);
      const next: Delivery | undefined = delivery.next && (await this.#deliveryOf(delivery.next));
      if (next) this.#keyQueue.enter(next);
      this.#leaveKeyQueue(delivery);
      delivery = next;
    }
  }

  #handled(stage: Stage): void {
    stage.handled();
    this.#startWaiting();
  }

  /** The work of a place that was passed on to this worker; undefined when there is nothing to start. Never rejects. */
  async #deliveryOf(lease: KeyLease): Promise<Delivery | undefined> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return undefined;
    const waiting = this.#keyQueue.find(lease.identity.keyHash, lease.jobId);
    if (waiting) {
      this.#keyQueue.delete(waiting);
      waiting.lease = lease;
      return waiting;
    }
    return deliveryOfLease(scope, lease, (work, of) => this.#adopt(work, of));
  }

  /** Undefined while its message is being looked at by this very worker. */
  #adopt(work: Work, lease: KeyLease): Delivery | undefined {
    const already = this.#deliveries.get(work.key);
    if (already !== undefined && !this.#backlog.delete(already) && !this.#keyQueue.delete(already)) return undefined;
    const delivery = already ?? new Delivery(work, undefined, this.#ackWaitMs);
    delivery.key = lease.identity;
    delivery.lease = lease;
    this.#deliveries.add(delivery);
    return delivery;
  }

  /** A key became free: the head of its queue, if this worker has room. */
  async #answerHint(identity: KeyIdentity, stage: Stage): Promise<void> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return;
    const lease = await takeHinted(scope, identity, this.#closing.signal);
    const delivery = lease && (await this.#deliveryOf(lease));
    if (delivery) await this.#runChain(delivery, stage);
  }

  /** Tells the server that everything held is being worked on, also what waits for a slot. */
  async #extend(signal: AbortSignal): Promise<void> {
    for (const delivery of this.#deliveries.values()) delivery.message?.working();
    await sleep(this.#ackWaitMs / 3, signal);
  }
}
