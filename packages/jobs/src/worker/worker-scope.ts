// What all parts of one worker share: names, settings, connections, counters.

import type { Logger } from '@trellis/async';
import type { LifecycleEvent, QueuedJob } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import type { AckBatcher } from '../delivery/ack-batcher.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { KeyedQueue } from '../keys/keyed-queue.ts';
import type { Queue } from '../queue.ts';

/** What a queue's worker has done since it started. */
export interface WorkerCounts {
  /** Work messages that arrived, without redeliveries of held work. */
  delivered: number;
  /** Work messages that do not belong to this queue; terminated. */
  quarantined: number;
  /** Work that had nothing to run any more. */
  discarded: number;
  /** Deliveries given back until later: backoff, or the job runs elsewhere. */
  waited: number;
  /** Deliveries given back because no lease of their key was free. */
  parked: number;
  started: number;
  completed: number;
  /** Attempts that failed and will be followed by another one. */
  retried: number;
  failed: number;
  dead: number;
  cancelled: number;
  /** Attempts that lost the lease of their key: their outcome did not count. */
  superseded: number;
  /** Handlers whose job was ended by others while they ran. */
  overtaken: number;
  /** Attempts handed back because the host stops. */
  handedBack: number;
  /** Deliveries given back because something unexpected failed. */
  faults: number;
}

export const newCounts = (): WorkerCounts => ({
  delivered: 0,
  quarantined: 0,
  discarded: 0,
  waited: 0,
  parked: 0,
  started: 0,
  completed: 0,
  retried: 0,
  failed: 0,
  dead: 0,
  cancelled: 0,
  superseded: 0,
  overtaken: 0,
  handedBack: 0,
  faults: 0,
});

/** What the worker knows about its other deliveries. */
interface WorkerHost {
  /** Whether this worker starts `next`, of the same key, after `delivery` has ended. */
  startsNext(delivery: Delivery, keyHash: string, next: QueuedJob): boolean;
  /** Whether the next job of a key starts without help: its delivery is here, or about to arrive somewhere. */
  willArrive(keyHash: string, next: QueuedJob): boolean;
  /** Whether the worker holds another delivery of the same job. */
  holdsOtherDelivery(delivery: Delivery): boolean;
}

export interface WorkerScope {
  readonly service: string;
  readonly jobType: string;
  readonly instanceId: string;
  readonly version: string | undefined;
  /** An attempt is part of its job's trace when it begins no later than this after the creation. */
  readonly joinTraceMs: number;
  readonly queue: Queue;
  /** The keys of the queue, if it has any. */
  readonly keyed?: KeyedQueue | undefined;
  readonly host?: WorkerHost | undefined;
  readonly stream: JobStream;
  readonly log: Logger;
  readonly counts: WorkerCounts;
  readonly acks: AckBatcher;
  /** Aborts when the host no longer waits: whatever is not stored by then is left to the next delivery. */
  readonly halt: AbortSignal;
}

/** A logger for lines about one job. */
export type JobLog = Record<'debug' | 'info' | 'warn' | 'error', (facts: object, message: string) => void>;

/** The scope's logger with the fields of the job; costs nothing when the line is not written. */
export const jobLog = ({ log }: Pick<WorkerScope, 'log'>, event: LifecycleEvent): JobLog => new LogOfJob(log, event);

class LogOfJob implements JobLog {
  readonly #log: Logger;
  readonly #event: LifecycleEvent;

  constructor(log: Logger, event: LifecycleEvent) {
    this.#log = log;
    this.#event = event;
  }

  debug(facts: object, message: string): void {
    this.#say('debug', facts, message);
  }

  info(facts: object, message: string): void {
    this.#say('info', facts, message);
  }

  warn(facts: object, message: string): void {
    this.#say('warn', facts, message);
  }

  error(facts: object, message: string): void {
    this.#say('error', facts, message);
  }

  #say(level: keyof JobLog, facts: object, message: string): void {
    if (!this.#log.isLevelEnabled(level)) return;
    const { jobId, service, jobType, context } = this.#event;
    const { traceId, requestId } = context;
    this.#log[level]({ jobId, service, jobType, traceId, requestId, ...facts }, message);
  }
}
