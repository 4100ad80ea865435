// Reads JOBS_WORK for the janitor: one work message and the event that it comes from, always from the leader. What follows
// from it is decided in plan/plan-job.ts.
import { JetStreamApiError, type MsgRequest, type StoredMsg } from '@nats-io/jetstream';
import { isSubjectToken, parseEventSubject } from '@trellis/contracts';
import { type JobStream, whenConnected } from '@trellis/nats';

/** The `created` or `retried` event that put a work message into the queue. */
export interface WorkOrigin {
  /** Sequence in JOBS. */
  sequence: number;
  service: string;
  jobType: string;
  jobId: string;
  event: string;
}

export interface WorkMessage {
  /** Sequence in JOBS_WORK. */
  sequence: number;
  subject: string;
  /** RFC 3339 UTC. */
  storedAt: string;
  /** Undefined when the server did not copy it from JOBS. */
  origin: WorkOrigin | undefined;
}

export interface WorkQueueState {
  messages: number;
  firstSequence: number;
  /** Of the last message that ever arrived; it may be gone. */
  lastSequence: number;
}

/** `streams.deleteMessage` of a message that is gone. */
const NO_MESSAGE_FOUND = 10_057;

export class WorkQueue {
  readonly #stream: JobStream;

  constructor(stream: JobStream) {
    this.#stream = stream;
  }

  /** @throws StreamNotFoundError */
  async state(): Promise<WorkQueueState> {
    await whenConnected(this.#stream.nc);
    const { state } = await this.#stream.jsm.streams.info(this.#stream.names.work);
    return { messages: state.messages, firstSequence: state.first_seq, lastSequence: state.last_seq };
  }

  /** The message at a sequence; undefined when it is gone. */
  messageAt(sequence: number): Promise<WorkMessage | undefined> {
    return this.#get({ seq: sequence });
  }

  /**
   * The work message of an origin; undefined when it is not there (any more). Messages are in the order of their origins:
   * a binary search, about log2(messages) reads.
   */
  async findByOrigin(originSequence: number): Promise<WorkMessage | undefined> {
    const { firstSequence, lastSequence } = await this.state();
    let low = Math.max(1, firstSequence);
    let high = lastSequence;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const found = await this.#nextSourced(middle, high);
      if (!found || found.origin.sequence > originSequence) high = middle - 1;
      else if (found.origin.sequence === originSequence) return found;
      else low = found.sequence + 1;
    }
    return undefined;
  }

  /**
   * Removes a work message if it still belongs to `originSequence`: a recreated stream counts from 1 again.
   * @returns whether it was removed
   */
  async remove(sequence: number, originSequence: number): Promise<boolean> {
    const message = await this.messageAt(sequence);
    if (message?.origin?.sequence !== originSequence) return false;
    try {
      return await this.#stream.jsm.streams.deleteMessage(this.#stream.names.work, sequence, false);
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === NO_MESSAGE_FOUND) return false;
      throw error;
    }
  }

  async #nextSourced(from: number, upTo: number): Promise<Sourced | undefined> {
    for (let at = from; at <= upTo; ) {
      // The server knows `next_by_subj` here too; only the library's type leaves it out. Of any subject: to find the next of a
      // rare one it would walk far.
      const message = await this.#get({ seq: at, next_by_subj: '>' } as MsgRequest);
      if (!message || message.sequence > upTo) return undefined;
      if (message.origin) return { ...message, origin: message.origin };
      at = message.sequence + 1;
    }
    return undefined;
  }

  async #get(query: MsgRequest): Promise<WorkMessage | undefined> {
    await whenConnected(this.#stream.nc);
    const message = await this.#stream.jsm.streams.getMessage(this.#stream.names.work, query);
    return message ? readWorkMessage(message, this.#stream.names.jobs) : undefined;
  }
}

type Sourced = WorkMessage & { origin: WorkOrigin };

function readWorkMessage(message: StoredMsg, jobsStream: string): WorkMessage {
  return {
    sequence: message.seq,
    subject: message.subject,
    storedAt: message.time.toISOString(),
    origin: readOrigin(message, jobsStream),
  };
}

/** Stream, sequence, filters, destinations and original subject in one header (docs/protocol.md#work-messages-and-consumers). */
function readOrigin(message: StoredMsg, jobsStream: string): WorkOrigin | undefined {
  // The list fields hold form feeds: only a single space separates.
  const [stream, sequenceText, , , original] = message.header?.get('Nats-Stream-Source').split(' ') ?? [];
  if (stream?.split(':')[0] !== jobsStream) return undefined;
  const sequence = Number(sequenceText);
  if (!Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  const subject = original ? parseEventSubject(original) : subjectOfBody(message.data);
  if (!subject) return undefined;
  const { service, jobType, jobId, eventType } = subject;
  return { sequence, service, jobType, jobId, event: eventType };
}

/** Older servers leave out the original subject: the body says it. */
function subjectOfBody(data: Uint8Array): ReturnType<typeof parseEventSubject> {
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof body !== 'object' || body === null) return undefined;
    const { service, jobType, jobId, eventType } = body as Record<string, unknown>;
    const tokens = [service, jobType, jobId, eventType];
    if (!tokens.every((token) => typeof token === 'string' && isSubjectToken(token))) return undefined;
    return parseEventSubject(`trellis.jobs.${tokens.join('.')}`);
  } catch {
    return undefined;
  }
}
