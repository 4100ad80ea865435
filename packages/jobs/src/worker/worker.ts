// Works one queue in one process: pulls work, extends its ack wait, starts attempts, and gives work back when the host
// stops. What happens to one delivery is attempt-runner.ts.
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
import type { Work } from '../delivery/work-message.ts';
import { listenForFreeKeys, takeHinted } from '../keys/key-hints.ts';
import { isKeyed } from '../keys/key-lease.ts';
import type { KeyLease } from '../keys/lease.ts';
import { LocalKeyQueue } from '../keys/local-key-queue.ts';
import { initMetrics } from '../telemetry/attempt-ended.ts';
import { AttemptRunner } from './attempt-runner.ts';
import { type CancellationWatcher, watchCancellations } from './cancellation-watcher.ts';
import { endAttempts } from './end-attempts.ts';
import { InFlight, type Stage } from './in-flight.ts';
import { PrefetchWindow } from './prefetch-window.ts';
import { readWorkOrTerminate } from './read-work.ts';
import { ensureQueueConsumer } from './work-consumer.ts';
import { WorkPull } from './work-pull.ts';
import { KEY_BACKLOG, MAX_BACKLOG_WAIT_MS, MAX_CHAIN, MAX_FINISHING, MAX_KEY_WAIT_MS } from './worker-limits.ts';
import { startLoops } from './worker-loops.ts';
import type { WorkerScope } from './worker-scope.ts';

export interface WorkerOptions {
  heartbeatIntervalMs: number;
}

export class QueueWorker {
  readonly #scope: WorkerScope;
  readonly #options: WorkerOptions;
  /** Aborts when the worker takes no more work. */
  readonly #closing = new AbortController();
  /** Aborts when the worker holds no delivery any more. */
  readonly #closed = new AbortController();
  /** Aborts when the host no longer waits for the servers. */
  readonly #halt = new AbortController();
  readonly #deliveries = new DeliveryRegistry();
  /** Deliveries that have not started: handlers became slower, or a pull brought more than requested. */
  readonly #backlog = new TimeoutQueue<Delivery>(MAX_BACKLOG_WAIT_MS, (delivery) => this.#nakUnstarted(delivery));
  readonly #keyQueue: LocalKeyQueue;
  readonly #runner: AttemptRunner;
  readonly #inFlight = new InFlight();
  readonly #permits: Semaphore;
  readonly #prefetch: PrefetchWindow;
  readonly #pull = new WorkPull(
    () => this.#freeRoom() - this.#backlog.size - Math.max(0, this.#keyQueue.waiting - KEY_BACKLOG),
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
    this.#keyQueue = new LocalKeyQueue(maxActive, MAX_KEY_WAIT_MS, (delivery) => this.#enqueue(delivery));
    this.#prefetch = new PrefetchWindow({ keyed: scope.keyed !== undefined });
    this.#permits = new Semaphore(scope.queue.settings.concurrency, MAX_BACKLOG_WAIT_MS);
    this.#runner = new AttemptRunner(this.#scope, handler, this.#permits, this.#prefetch, (delivery) => {
      if (delivery.hinted) this.#cancellations?.follow(delivery);
    });
  }

  /** Starts to work. @throws {ConsumerConflict} when the consumer of that name serves another queue */
  async start(): Promise<void> {
    const scope = this.#scope;
    const name = `${scope.service}/${scope.jobType}`;
    initMetrics(scope);
    const { ackWaitMs } = await ensureQueueConsumer(scope);
    this.#ackWaitMs = ackWaitMs;
    if (isKeyed(scope) && ackWaitMs > scope.keyed.longestParkMs) {
      const facts = { ackWaitMs, atMost: scope.keyed.longestParkMs };
      scope.log.warn(facts, 'the work consumer waits longer than half a lease: jobs of lost workers may turn stale');
    }
    const delivery = () => this.#deliveries.values();
    const stops = watchCancellations(scope, delivery, this.#closed.signal);
    this.#cancellations = stops;
    const { log } = scope;
    this.#loops = startLoops(scope, {
      deliveries: this.#deliveries,
      cancellations: stops,
      ackWaitMs: () => this.#ackWaitMs,
      activeJobs: () => this.activeJobs(),
      heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      signal: this.#closed.signal,
    });
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

  /** Ids of the jobs that are active here: their handlers run or are about to. */
  activeJobs(): string[] {
    return Array.from(this.#deliveries.values()).flatMap((delivery) => (delivery.attempt ? [delivery.work.jobId] : []));
  }

  /** The error that keeps the worker from taking work; undefined while it takes work. */
  get fault(): unknown {
    return this.#pulling?.lastError;
  }

  /** Checks whether running jobs were cancelled or ended while no hints could arrive. */
  async recheck(): Promise<void> {
    await this.#cancellations?.recheck();
  }

  /**
   * Takes no more work, waits up to `graceMs` for running handlers, then tells them to stop, gives their jobs back and
   * returns. Deliveries that have not started are given back immediately.
   */
  async stop(graceMs: number): Promise<void> {
    this.#closing.abort();
    const grace = new AbortController();
    const graceOver = sleep(graceMs, grace.signal);
    // First close the pulls: a message that is given back would come straight back to an open one.
    await this.#pull.end(this.#pulling?.done ?? Promise.resolve());
    for (const delivery of [...this.#keyQueue.clear(), ...this.#backlog.clear()]) this.#nakUnstarted(delivery);
    await Promise.race([this.#inFlight.idle(), graceOver]);
    grace.abort();
    await endAttempts({
      deliveries: this.#deliveries,
      permits: this.#permits,
      inFlight: this.#inFlight,
      halt: this.#halt,
    });
    await this.#scope.acks.flush();
    this.#closed.abort();
    this.#cancellations?.close();
    await Promise.all(this.#loops.map(({ done }) => done));
  }

  /** Pulls until `signal` aborts. @throws when the consumer or the connection is gone; the loop then starts again */
  async #takeWork(signal: AbortSignal): Promise<void> {
    const { consumer, ackWaitMs } = await ensureQueueConsumer(this.#scope);
    this.#ackWaitMs = ackWaitMs;
    await this.#pull.run(consumer, signal);
  }

  #receive(message: JsMsg): void {
    const work = readWorkOrTerminate(this.#scope, message);
    if (work === undefined) return;
    if (isKeyed(this.#scope)) this.#watermark.arrived(message, work);
    const already = this.#deliveries.get(work.key);
    if (already) {
      already.message = message;
      return;
    }
    this.#scope.counts.delivered++;
    const delivery = new Delivery(work, message, this.#ackWaitMs);
    this.#deliveries.add(delivery);
    delivery.key = this.#scope.keyed?.keyOfEvent(work.event);
    // Behind slow handlers the delivery would only wait; another instance may be free.
    if (this.#keyQueue.isFull(delivery) && this.#prefetch.handlersAreQuick) this.#keyQueue.add(delivery);
    else this.#enqueue(delivery);
    this.#pull.roomChanged();
  }

  /** Starts the delivery as soon as there is room. */
  #enqueue(delivery: Delivery): void {
    this.#keyQueue.enter(delivery);
    // A delivery that can start now skips the backlog.
    if (this.#backlog.size === 0 && this.#hasRoom()) this.#startDelivery(delivery);
    else this.#backlog.add(delivery);
    this.#startWaiting();
  }

  /** Gives back a delivery that has not started here: another instance may have room. */
  #nakUnstarted(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    delivery.nak(0);
    this.#leaveKeyQueue(delivery);
  }

  /** The key may have become free: starts the next delivery that waits for it here. */
  #leaveKeyQueue(delivery: Delivery): void {
    const next = this.#keyQueue.leave(delivery);
    if (next) this.#enqueue(next);
  }

  /** Whether this worker starts the next job of the key: its delivery is here, or would arrive late. */
  #startsNext(delivery: Delivery, keyHash: string, { jobId, createdAt }: QueuedJob): boolean {
    if (this.#closing.signal.aborted) return false;
    if (this.#keyQueue.find(keyHash, jobId)) return delivery.chain < MAX_CHAIN || this.#backlog.size === 0;
    return delivery.chain < MAX_CHAIN && this.#backlog.size === 0 && !this.#watermark.willArrive(createdAt);
  }

  /** Most attempts in flight: those with a permit, and those that are prefetched. */
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

  /** Runs a delivery, then the jobs whose leases its key passes on to this worker. */
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

  /** The delivery of a lease that was passed on to this worker; undefined when there is nothing to start. Never rejects. */
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

  /** Undefined while this worker already runs a delivery of that work. */
  #adopt(work: Work, lease: KeyLease): Delivery | undefined {
    const already = this.#deliveries.get(work.key);
    if (already !== undefined && !this.#backlog.delete(already) && !this.#keyQueue.delete(already)) return undefined;
    const delivery = already ?? new Delivery(work, undefined, this.#ackWaitMs);
    delivery.key = lease.identity;
    delivery.lease = lease;
    this.#deliveries.add(delivery);
    return delivery;
  }

  /** A key became free: starts the head of its queue, if this worker is the first to acquire the lease. */
  async #answerHint(identity: KeyIdentity, stage: Stage): Promise<void> {
    const scope = this.#scope;
    if (!isKeyed(scope)) return;
    const lease = await takeHinted(scope, identity, this.#closing.signal);
    const delivery = lease && (await this.#deliveryOf(lease));
    if (delivery) await this.#runChain(delivery, stage);
  }
}
