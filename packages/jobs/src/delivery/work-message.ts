// Reads a work message: its job, and the `created` or `retried` event that it comes from. Refuses a message that does not
// come from the JOBS stream (docs/protocol.md#work-messages-and-consumers).
import type { JsMsg } from '@nats-io/jetstream';
import { decodeEvent, eventSubject, type LifecycleEvent } from '@trellis/contracts';
import { z } from 'zod';

/** The event that put a work message into the queue. */
export interface Origin {
  /** Its sequence in JOBS. */
  sequence: number;
  event: 'created' | 'retried';
}

/** One unit of work as it was queued. */
export interface Work {
  /** Same for every delivery of the same work, also from a work queue that was recreated. */
  key: string;
  jobId: string;
  origin: Origin;
  /** The origin's body: payload, context, maxTries, deadline. */
  event: LifecycleEvent;
  /** Sequence in the work stream; undefined for work that was read from the stream of events. */
  workSequence: number | undefined;
}

export type WorkMessage = { kind: 'work'; work: Work } | { kind: 'refused'; reason: string };

interface Expected {
  jobsStream: string;
  service: string;
  jobType: string;
}

/** Where the message came from, in one header: stream, sequence, filters, destinations, original subject. */
const SOURCE_HEADER = 'Nats-Stream-Source';
const SOURCE_LINE = `\r\n${SOURCE_HEADER}:`;

/** Reads a delivered work message. Never throws. */
export function readWorkMessage(message: Pick<JsMsg, 'headers' | 'data' | 'seq'>, expected: Expected): WorkMessage {
  // The list fields hold form feeds: only a single space separates.
  const [stream, sequenceText, , , originalSubject] = sourceOf(message).split(' ');
  if (!stream)
    return refused(`the ${SOURCE_HEADER} header is missing: the message was not filled in from the JOBS stream`);
  if (stream.split(':')[0] !== expected.jobsStream)
    return refused(`sourced from ${stream}, expected ${expected.jobsStream}`);
  const sequence = Number(sequenceText);
  if (!Number.isSafeInteger(sequence) || sequence < 1)
    return refused(`${SOURCE_HEADER}: unreadable sequence "${sequenceText}"`);

  const subject = originalSubject || subjectOfBody(message.data);
  if (subject === undefined) return refused('the body names no job');
  const decoded = decodeEvent({ subject, sequence, storedAt: '', data: message.data });
  if (decoded.kind === 'quarantined') return refused(decoded.quarantined.reason);
  const { event } = decoded.stored;
  if (event.service !== expected.service || event.jobType !== expected.jobType) {
    return refused(`work of ${event.service}/${event.jobType}, expected ${expected.service}/${expected.jobType}`);
  }
  if (event.eventType !== 'created' && event.eventType !== 'retried') {
    return refused(`filled in from a "${event.eventType}" event, expected "created" or "retried"`);
  }
  const { jobId } = event;
  const origin: Origin = { sequence, event: event.eventType };
  return { kind: 'work', work: { key: `${jobId}:${sequence}`, jobId, origin, event, workSequence: message.seq } };
}

/** A message as the library holds it, its headers not yet read. */
interface Unread {
  msg?: { _rdata?: Uint8Array; _msg?: { hdr?: number } };
}

/**
 * The source header; empty when there is none. Searched in the received bytes: parsing every header into lists, as the
 * library does, would cost as much as the rest of a work message.
 */
function sourceOf(message: Pick<JsMsg, 'headers'>): string {
  const { _rdata: data, _msg: facts } = (message as Unread).msg ?? {};
  if (!(data instanceof Buffer) || facts?.hdr === undefined) return message.headers?.get(SOURCE_HEADER) ?? '';
  const lines = data.toString('utf8', 0, Math.max(0, facts.hdr));
  const at = lines.indexOf(SOURCE_LINE);
  return at < 0 ? '' : lines.slice(at + SOURCE_LINE.length, lines.indexOf('\r\n', at + 1)).trim();
}

const refused = (reason: string): WorkMessage => ({ kind: 'refused', reason });

const Named = z.object({
  service: z.string(),
  jobType: z.string(),
  jobId: z.string(),
  eventType: z.enum(['created', 'retried']),
});

/** Older servers leave out the original subject: the body says it, unchecked. */
function subjectOfBody(data: Uint8Array): string | undefined {
  try {
    const body = Named.parse(JSON.parse(new TextDecoder().decode(data)));
    return eventSubject(body.service, body.jobType, body.jobId, body.eventType);
  } catch {
    return undefined;
  }
}
