// The `created` event of a new job, checked so that no reader or store refuses it.
import {
  decodeEvent,
  eventSubject,
  instantOf,
  isJobId,
  type JobContext,
  JobId,
  type LifecycleEvent,
  mayBeUnstorable,
} from '@trellis/contracts';
import { ValidationError } from '../errors.ts';
import type { KeyedQueue } from '../keys/keyed-queue.ts';
import type { Queue } from '../queue.ts';
import { type MaybeLater, toWire, type WireValue } from '../values/wire-value.ts';

export interface NewJob {
  service: string;
  jobType: string;
  queue: Queue;
  jobId: string;
  payload: unknown;
  context: JobContext;
  /** Milliseconds since 1970. */
  now: number;
  keyed?: KeyedQueue | undefined;
  /** Largest message that the server accepts, in bytes; undefined when not known. */
  maxBytes: number | undefined;
}

/** Room for headers and the framing of a message. */
const HEADER_BYTES = 2_048;

export interface CreatedEvent {
  event: LifecycleEvent;
  /** Its JSON text. */
  json: string;
}

/** The event of a new job; a promise only if the payload's schema is asynchronous. @throws {ValidationError} naming the field */
export function createdEvent(job: NewJob): MaybeLater<CreatedEvent> {
  const { jobId, queue } = job;
  // The schema explains an invalid id.
  if (!isJobId(jobId)) {
    const id = JobId.safeParse(jobId);
    if (!id.success) throw new ValidationError('id', id.error.issues[0]?.message ?? 'not accepted');
  }
  const payload = toWire(queue.payload, 'payload', job.payload);
  return payload instanceof Promise ? payload.then((late) => withPayload(job, late)) : withPayload(job, payload);
}

function withPayload(job: NewJob, payload: WireValue<unknown>): CreatedEvent {
  const { service, jobType, jobId, queue, now } = job;
  if (payload.kind === 'refused') throw new ValidationError(payload.field, payload.problem);
  if (payload.wire === undefined) throw new ValidationError('payload', 'expected a value that has a JSON form');
  const { maxDeliver, defaultDeadlineMs } = queue.settings;
  const event: LifecycleEvent = {
    jobId,
    service,
    jobType,
    eventType: 'created',
    state: 'pending',
    timestamp: instantOf(now),
    context: job.context,
    tries: 0,
    maxTries: maxDeliver,
    payload: payload.wire,
  };
  if (defaultDeadlineMs !== undefined) event.deadline = new Date(now + defaultDeadlineMs).toISOString();
  if (job.keyed) {
    const key = job.keyed.keyOfPayload(payload.wire);
    if (key.kind === 'refused') throw new ValidationError(key.field, key.problem);
    event.concurrency = { key: key.identity.key, keyHash: key.identity.keyHash };
    event.queuePolicy = { outcome: 'accepted' };
  }
  return { event, json: storableJson(event, 'payload', job.maxBytes) };
}

/**
 * The JSON text of an event. Refuses content that a reader of the stream would quarantine; checks it in full only when the
 * text is suspicious, because the rest of the event is made here.
 * @param field to name when the event as a whole is too large
 * @throws {ValidationError}
 */
export function storableJson(event: LifecycleEvent, field: string, maxBytes: number | undefined): string {
  const json = JSON.stringify(event);
  const bytes = Buffer.byteLength(json);
  if (maxBytes !== undefined && bytes + HEADER_BYTES > maxBytes) {
    throw new ValidationError(
      field,
      `${bytes} bytes with its event; the broker takes ${maxBytes} bytes, headers included`,
    );
  }
  if (mayBeUnstorable(json)) refuseUnstorable(event, json, field);
  return json;
}

function refuseUnstorable(event: LifecycleEvent, json: string, field: string): void {
  const data = new TextEncoder().encode(json);
  const subject = eventSubject(event.service, event.jobType, event.jobId, event.eventType);
  const decoded = decodeEvent({ subject, sequence: 1, storedAt: event.timestamp, data });
  if (decoded.kind === 'event') return;
  const { reason } = decoded.quarantined;
  const colon = reason.indexOf(': ');
  throw colon < 0
    ? new ValidationError(field, reason)
    : new ValidationError(reason.slice(0, colon), reason.slice(colon + 2));
}
