// The messages of one durable consumer, prefetched within a bound of messages and of bytes (the library's `consume` takes only
// one of the two). Reports its end and the reason. tail-stream.ts creates the consumer and starts over.
import {
  createInbox,
  type Msg,
  type NatsConnection,
  nanos,
  type QueuedIterator,
  type Status,
} from '@nats-io/transport-node';
import { sleep } from '@trellis/async';
import { instantOf, type StoredMessage } from '@trellis/contracts';

export interface PulledMessage extends StoredMessage {
  /** Acknowledging subject. */
  reply: string;
  /** Bytes that the message takes. */
  size: number;
  /** Messages of the consumer that were still to come when the server sent this one. */
  pending: number;
}

export interface PullOptions {
  nc: NatsConnection;
  /** Subject prefix of the JetStream API. */
  apiPrefix: string;
  /** Prefix of the subjects on which messages arrive; default `_INBOX`. */
  inboxPrefix: string | undefined;
  stream: string;
  consumer: string;
  /** Bounds of what is asked for and not yet taken. */
  maxMessages: number;
  maxBytes: number;
  signal: AbortSignal;
}

const EXPIRES_MS = 20_000;
const HEARTBEAT_MS = 2_000;
/** The subscription ends after this many missing heartbeats. */
const MISSED_HEARTBEATS = 3;
/** The bound is split into this many requests, so that some run while others are consumed. */
const REQUESTS = 4;

export interface Wanted {
  /** So many messages available, */
  messages: number;
  /** or so many bytes, */
  bytes: number;
  /** or any message after which nothing is pending. */
  orCaughtUp: boolean;
}

interface PullRequest {
  inbox: string;
  messagesLeft: number;
  bytes: number;
  arrived: number;
}

export class PullSubscription implements Disposable {
  /** Why no more messages come; undefined while it continues. */
  ended: Error | undefined;
  readonly #options: PullOptions;
  readonly #inbox: string;
  readonly #requests: PullRequest[] = [];
  readonly #closing = new AbortController();
  readonly #status: QueuedIterator<Status>;
  readonly #unsubscribe: () => void;
  #buffer: PulledMessage[] = [];
  #taken = 0;
  #bytes = 0;
  #requestNumber = 0;
  #consumerSequence = 0;
  #missed = 0;
  /** The next message is larger than a request's bytes: ask for it alone, whatever its size. */
  #oversized = false;
  #wake: AbortController | undefined;
  #wanted: Wanted = { messages: 1, bytes: Infinity, orCaughtUp: false };

  constructor(options: PullOptions) {
    this.#options = options;
    const { nc, signal, inboxPrefix } = options;
    this.#inbox = createInbox(inboxPrefix);
    const subscription = nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => (error ? this.#end(error) : this.#arrived(message)),
    });
    this.#unsubscribe = () => subscription.unsubscribe();
    // The library's status iterator can be stopped; only its type does not say so.
    this.#status = nc.status() as QueuedIterator<Status>;
    void this.#watchConnection();
    void this.#watchHeartbeats();
    const wake = () => this.#wake?.abort('awake');
    signal.addEventListener('abort', wake);
    this.#closing.signal.addEventListener('abort', () => signal.removeEventListener('abort', wake));
    this.#ask();
  }

  [Symbol.dispose](): void {
    this.#end(new Error('closed'));
    if (!this.#options.nc.isClosed()) this.#unsubscribe();
    this.#status.stop();
    this.#closing.abort();
  }

  /** Messages that have arrived and were not taken. */
  get available(): number {
    return this.#buffer.length - this.#taken;
  }

  /** Messages of the consumer that were pending when the last one arrived. */
  get pending(): number {
    return this.#buffer.at(-1)?.pending ?? 0;
  }

  /** Resolves when what is wanted is available, the subscription has ended, or `ms` are over. */
  async until(wanted: Wanted, ms: number): Promise<void> {
    this.#wanted = wanted;
    if (this.#satisfied() || this.#options.signal.aborted) return;
    this.#wake = new AbortController();
    await sleep(ms, this.#wake.signal);
    this.#wake = undefined;
  }

  /** Takes messages in order, up to the two bounds (at least one, if any is there). */
  take(maxMessages: number, maxBytes: number): PulledMessage[] {
    const start = this.#taken;
    let bytes = 0;
    let end = start;
    for (; end < this.#buffer.length && end - start < maxMessages; end++) {
      const size = this.#buffer[end]?.size ?? 0;
      if (end > start && bytes + size > maxBytes) break;
      bytes += size;
    }
    const messages = this.#buffer.slice(start, end);
    this.#taken = end;
    this.#bytes -= bytes;
    if (this.#taken > this.#buffer.length / 2) {
      this.#buffer = this.#buffer.slice(this.#taken);
      this.#taken = 0;
    }
    this.#ask();
    return messages;
  }

  #satisfied(): boolean {
    const { messages, bytes, orCaughtUp } = this.#wanted;
    if (this.ended !== undefined || this.available >= messages || this.#bytes >= bytes) return true;
    return orCaughtUp && this.available > 0 && this.pending === 0;
  }

  #end(reason: Error): void {
    this.ended ??= reason;
    this.#wake?.abort('awake');
  }

  /** Sends requests for as long as the bounds have room for a whole one. */
  #ask(): void {
    const { nc, apiPrefix, stream, consumer, maxMessages, maxBytes } = this.#options;
    const batch = Math.ceil(maxMessages / REQUESTS);
    // A request must be able to hold the largest message that the server takes.
    const bytes = Math.max(Math.ceil(maxBytes / REQUESTS), 2 * (nc.info?.max_payload ?? 1_048_576));
    const open = () => this.#requests.reduce((sum, request) => sum + request.messagesLeft, this.available);
    const openBytes = () => this.#requests.reduce((sum, request) => sum + request.bytes, this.#bytes);
    const room = () => open() + batch <= maxMessages && openBytes() + bytes <= Math.max(maxBytes, bytes);
    while (this.ended === undefined && (room() || (this.#requests.length === 0 && this.available === 0))) {
      const alone = this.#oversized;
      this.#oversized = false;
      const inbox = `${this.#inbox}.${++this.#requestNumber}`;
      this.#requests.push({ inbox, messagesLeft: alone ? 1 : batch, bytes, arrived: 0 });
      const request = { expires: nanos(EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
      const limits = alone ? { batch: 1 } : { batch, max_bytes: bytes };
      nc.publish(`${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${consumer}`, JSON.stringify({ ...request, ...limits }), {
        reply: inbox,
      });
      if (alone) return;
    }
  }

  #arrived(message: Msg): void {
    this.#missed = 0;
    if (this.ended !== undefined) return;
    const { subject } = message;
    if (subject.startsWith(this.#inbox)) {
      this.#statusArrived(subject, message);
      return;
    }
    const { reply = '' } = message;
    const info = deliveryInfo(reply);
    // Delivery sequences have no gaps: a gap means that a message was lost.
    if (info.consumerSequence !== this.#consumerSequence + 1) {
      this.#end(new Error(`delivery ${this.#consumerSequence + 1} is missing, got ${info.consumerSequence}`));
      return;
    }
    this.#consumerSequence = info.consumerSequence;
    const [request] = this.#requests;
    if (request) {
      request.arrived++;
      if (--request.messagesLeft <= 0) this.#requests.shift();
    }
    const { data } = message;
    const size = subject.length + data.length;
    const { sequence, storedAt, pending } = info;
    this.#buffer.push({ subject, sequence, storedAt, data, reply, size, pending });
    this.#bytes += size;
    if (this.#wake && this.#satisfied()) this.#wake.abort('awake');
  }

  #statusArrived(inbox: string, message: Msg): void {
    const code = message.headers?.code ?? 0;
    const description = message.headers?.description ?? '';
    if (code === 100) return;
    const at = this.#requests.findIndex((request) => request.inbox === inbox);
    const request = at < 0 ? undefined : this.#requests.splice(at, 1)[0];
    const tooLarge = code === 409 && /maxbytes/i.test(description);
    const done = code === 404 || code === 408 || tooLarge || /batch completed/i.test(description);
    if (!done) {
      this.#end(new Error(`${code} ${description}`));
      return;
    }
    if (tooLarge && request?.arrived === 0 && this.#requests.length === 0) this.#oversized = true;
    this.#ask();
  }

  async #watchConnection(): Promise<void> {
    for await (const status of this.#status) {
      // What had been asked for is forgotten by now.
      if (status.type === 'reconnect') this.#end(new Error('the connection was lost and is back'));
      if (status.type === 'close') this.#end(new Error('the connection is closed'));
    }
  }

  async #watchHeartbeats(): Promise<void> {
    const { signal } = this.#closing;
    while (this.ended === undefined) {
      await sleep(HEARTBEAT_MS, signal);
      // Heartbeats come only while a request is open.
      if (this.#requests.length === 0) this.#missed = 0;
      else if (++this.#missed > MISSED_HEARTBEATS) this.#end(new Error('the server sends no heartbeats'));
    }
  }
}

interface DeliveryInfo {
  sequence: number;
  consumerSequence: number;
  storedAt: string;
  pending: number;
}

/** Offsets of the subject's tokens; one more for its end. */
const starts: number[] = [];

/**
 * What the acknowledging subject tells: `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<nanos>.<pending>`,
 * with domain and account hash before the stream in its newer form. Read without cutting it up: there is one for each message.
 */
function deliveryInfo(reply: string): DeliveryInfo {
  let tokens = 0;
  for (let start = 0; start > 0 || tokens === 0; start = reply.indexOf('.', start) + 1) starts[tokens++] = start;
  starts[tokens] = reply.length + 1;
  const at = tokens === 9 ? 5 : 7;
  const pending = wholeNumber(reply, at + 3);
  if (!reply.startsWith('$JS.ACK.') || at + 3 >= tokens || Number.isNaN(pending)) {
    throw new Error(`not a delivery of JetStream: "${reply}"`);
  }
  return {
    sequence: wholeNumber(reply, at),
    consumerSequence: wholeNumber(reply, at + 1),
    storedAt: instantOf(wholeNumber(reply, at + 2, 6)),
    pending,
  };
}

/** The number in a token, without its last digits; NaN when it is none. */
function wholeNumber(reply: string, token: number, without = 0): number {
  const end = (starts[token + 1] ?? 0) - 1 - without;
  let number = 0;
  for (let at = starts[token] ?? 0; at < end; at++) {
    const digit = reply.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = 10 * number + digit;
  }
  return number;
}
