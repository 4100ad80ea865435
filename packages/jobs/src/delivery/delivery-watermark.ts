// Estimates how far JOBS_WORK has been delivered. The message of a job created after the newest delivered one will arrive
// soon; the message of an older job may be parked. The estimate only saves requests: parked messages arrive too, later.
import type { JsMsg } from '@nats-io/jetstream';
import type { Work } from './work-message.ts';

/** Jobs created at the same time are stored in any order: one this much older may still arrive. Milliseconds. */
const DISORDER_MS = 500;
/** The estimate expires after this long without a message, in milliseconds. */
const FRESH_MS = 100;

export class DeliveryWatermark {
  /** Creation of the newest delivered job, by its creator's clock, in milliseconds since 1970. */
  #newest = 0;
  /** Messages still pending when the last one was sent. */
  #pending = 0;
  /** Of the process clock, in milliseconds. */
  #at = 0;

  arrived({ info }: Pick<JsMsg, 'info'>, { event }: Pick<Work, 'event'>): void {
    this.#pending = info.pending;
    this.#at = performance.now();
    const created = Date.parse(event.timestamp);
    if (event.eventType === 'created' && created > this.#newest) this.#newest = created;
  }

  /** Whether the message of a job created then will arrive soon. */
  willArrive(createdAt: string): boolean {
    if (this.#pending === 0 || performance.now() - this.#at > FRESH_MS) return false;
    return Date.parse(createdAt) > this.#newest - DISORDER_MS;
  }
}
