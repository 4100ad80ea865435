// A work message from its arrival until it is answered, and the attempt that runs for it. A new delivery of work that is
// still held only renews the handle that it is answered by.
import type { JsMsg } from '@nats-io/jetstream';
import { ClosedConnectionError } from '@nats-io/transport-node';
import type { KeyIdentity } from '@trellis/lifecycle';
import { ackSubjectOf, type RequestPipe } from '@trellis/nats';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { KeyLease } from '../keys/lease.ts';
import type { Work } from './work-message.ts';

export class Delivery {
  readonly work: Work;
  /** From 1; of the delivery that brought it. */
  readonly deliveryCount: number;
  readonly ackWaitMs: number;
  /** The handle of the newest delivery; none (yet) for work that was started from the stream of events. */
  message: JsMsg | undefined;
  /** The job's key, if its queue has keys. */
  key: KeyIdentity | undefined;
  /** The place of the key that it was given. */
  lease: KeyLease | undefined;
  /** The place of another job, which this worker is to start next. */
  next: KeyLease | undefined;
  /** Whether it is counted in its key's turn: local-key-queue.ts. */
  inKeyQueue = false;
  /** How many jobs of the key this worker has started in a row before this one. */
  chain = 0;
  /** The running attempt, once it has started. */
  attempt: RunningAttempt | undefined;
  /** Keeps the place for as long as it runs. */
  renewal: { stop(): void } | undefined;
  /** Somebody said that the job was ended or is to be cancelled, before the attempt had started. */
  hinted = false;

  constructor(work: Work, message: JsMsg | undefined, ackWaitMs: number) {
    this.work = work;
    this.message = message;
    this.deliveryCount = message?.info.deliveryCount ?? 1;
    this.ackWaitMs = ackWaitMs;
  }

  // An answer that got lost, or that a closed connection does not take, is repaired by the next delivery.

  /** Done with the message. */
  ack(): void {
    this.#answer(() => this.message?.ack());
  }

  /** Done with the message; acked in one write with the requests of this turn of the event loop. */
  ackInBatch(pipe: RequestPipe): void {
    if (this.message === undefined) return;
    const subject = ackSubjectOf(this.message);
    if (subject === undefined) this.ack();
    else pipe.alongside({ subject, body: '+ACK' });
  }

  /** The message is to come again after `ms` milliseconds; 0: at once. */
  nak(ms: number): void {
    this.#answer(() => this.message?.nak(ms));
  }

  /** The message is never to come again. */
  terminate(reason: string): void {
    this.#answer(() => this.message?.term(reason));
  }

  #answer(send: () => void): void {
    try {
      send();
    } catch (error) {
      if (!(error instanceof ClosedConnectionError)) throw error;
    }
  }
}
