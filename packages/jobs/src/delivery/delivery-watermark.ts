// How far the work queue has been delivered, as far as this worker can tell. The work of a job that was created later than
// the newest one delivered comes by itself; what was created before may be parked somewhere. A guess that saves requests:
// parked work comes by itself too, only later.
import type { JsMsg } from '@nats-io/jetstream';
import type { Work } from './work-message.ts';

/** Jobs that are created at the same time are stored in any order: one this much older may still be on its way. */
const DISORDER_MS = 500;
/** After this long without a message nothing is known to be on its way any more. */
const FRESH_MS = 100;

export class DeliveryWatermark {
  /** When the newest job was created whose work was delivered, by its creator's clock. */
  #newest = 0;
  /** Messages that were still to come when the last one was sent. */
  #pending = 0;
  /** Of the process clock, in milliseconds. */
  #at = 0;

  arrived({ info }: Pick<JsMsg, 'info'>, { event }: Pick<Work, 'event'>): void {
    this.#pending = info.pending;
    this.#at = performance.now();
    const created = Date.parse(event.timestamp);
    if (event.eventType === 'created' && created > this.#newest) this.#newest = created;
  }

  /** Whether the work of a job that was created then has not been delivered yet and soon will be. */
  willArrive(createdAt: string): boolean {
    if (this.#pending === 0 || performance.now() - this.#at > FRESH_MS) return false;
    return Date.parse(createdAt) > this.#newest - DISORDER_MS;
  }
}
