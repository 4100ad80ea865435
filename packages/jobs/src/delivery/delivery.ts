// A work message from its arrival until its answer, with the attempt that runs for it. A redelivery of work that is still
// held only replaces `message`.
import type { JsMsg } from '@nats-io/jetstream';
import { ClosedConnectionError } from '@nats-io/transport-node';
import type { KeyIdentity } from '@trellis/lifecycle';
import { ackSubjectOf, type RequestPipe } from '@trellis/nats';
import type { RunningAttempt } from '../attempt/running-attempt.ts';
import type { KeyLease } from '../keys/lease.ts';
import type { Work } from './work-message.ts';

export class Delivery {
  readonly work: Work;
  /** From 1. */
  readonly deliveryCount: number;
  readonly ackWaitMs: number;
  /** The newest delivered message; undefined for work that was read from the event stream. */
  message: JsMsg | undefined;
  /** The job's key, if its queue has keys. */
  key: KeyIdentity | undefined;
  /** Its lease of the key. */
  lease: KeyLease | undefined;
  /** The lease of another job, which this worker is to start next. */
  next: KeyLease | undefined;
  /** Whether local-key-queue.ts counts it as active. */
  inKeyQueue = false;
  /** Consecutive jobs of the key that this worker started before this one. */
  chain = 0;
  /** The running attempt, once it has started. */
  attempt: RunningAttempt | undefined;
  /** Renews the lease while the attempt runs. */
  renewal: { stop(): void } | undefined;
  /** A hint came that the job was ended or cancelled, before the attempt had started. */
  hinted = false;

  constructor(work: Work, message: JsMsg | undefined, ackWaitMs: number) {
    this.work = work;
    this.message = message;
    this.deliveryCount = message?.info.deliveryCount ?? 1;
    this.ackWaitMs = ackWaitMs;
  }

  // A lost answer, or one on a closed connection, is repaired by the next delivery.

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

  /** Gives the message back: it is delivered again after `ms` milliseconds; 0: immediately. */
  nak(ms: number): void {
    this.#answer(() => this.message?.nak(ms));
  }

  /** The message is never delivered again. */
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
