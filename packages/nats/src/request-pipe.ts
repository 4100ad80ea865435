// Many concurrent requests over one connection, at a fraction of the cost of the library's `request()` (a timer, a stack
// trace and a race of promises each). What a reply means is left to the caller.
import {
  createInbox,
  errors,
  type Msg,
  type NatsConnection,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';
import { inboxPrefixOf } from './internals.ts';
import { MessageFrames, type OutgoingMessage } from './message-frames.ts';

/** A request with its two callbacks; exactly one of them is called, once. */
export interface PipeRequest extends Omit<OutgoingMessage, 'reply'> {
  /** Milliseconds from the send to the reply, at most. */
  readonly timeoutMs: number;
  /** Set by the pipe. */
  deadline: number;
  answered(answer: Msg): void;
  /**
   * {NoRespondersError} and {PermissionViolationError}: the server did not accept the request. {TimeoutError} and other
   * errors (lost connection): it is not known whether it did.
   */
  failed(error: unknown): void;
}

/** Most requests in flight. Further ones wait here: a slow server would answer them too late. */
const MAX_OPEN = 1_000;
/** The longest wait to be sent, in milliseconds. */
const WAITING_MS = 10_000;
/** Precision of timeouts, in milliseconds. */
const SWEEP_MS = 100;
const NO_RESPONDERS = 503;

export class RequestPipe {
  readonly #nc: NatsConnection;
  readonly #open = new Map<number, PipeRequest>();
  /** Tokens of answered requests. The token of an unanswered one is never reused: its reply may still come. */
  readonly #freeTokens: number[] = [];
  /** In the order of sending. */
  #waiting: PipeRequest[] = [];
  /** Messages to publish in the same write. */
  #alongside: OutgoingMessage[] = [];
  readonly #frames: MessageFrames;
  #inbox: string | undefined;
  #watching: Promise<void> | undefined;
  #tokens = 0;
  #sending = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
    this.#frames = new MessageFrames(nc);
  }

  /** Sends a request and resolves with its reply. @throws what `PipeRequest.failed` receives */
  request(subject: string, body: string, options: { headers?: string; timeoutMs: number }): Promise<Msg> {
    return new Promise((answered, failed) => this.send({ subject, body, ...options, deadline: 0, answered, failed }));
  }

  /** Sends a request at the end of this turn of the event loop, or when fewer than 1,000 are in flight. */
  send(request: PipeRequest): void {
    request.deadline = performance.now() + WAITING_MS;
    this.#waiting.push(request);
    this.#sendSoon();
    this.#sweeper ??= setTimeout(() => this.#sweep(), SWEEP_MS);
  }

  /** Publishes at the end of this turn of the event loop, in one write with the requests; dropped once the connection closes. */
  alongside(message: OutgoingMessage): void {
    this.#alongside.push(message);
    this.#sendSoon();
  }

  /** Deferred to the end of this turn: many small writes to the socket are expensive. */
  #sendSoon(): void {
    if (this.#sending) return;
    if (this.#alongside.length === 0 && (this.#open.size >= MAX_OPEN || this.#waiting.length === 0)) return;
    this.#sending = true;
    setImmediate(() => {
      this.#sending = false;
      this.#sendWaiting();
    });
  }

  #sendNow(request: PipeRequest): void {
    // Few reply subjects: the server caches their routes.
    const token = this.#freeTokens.pop() ?? ++this.#tokens;
    const { subject, body, headers } = request;
    try {
      this.#frames.add({ subject, body, headers, reply: `${this.#inboxOfAnswers()}.${token}` });
      request.deadline = performance.now() + request.timeoutMs;
      this.#open.set(token, request);
    } catch (error) {
      request.failed(error);
    }
  }

  #inboxOfAnswers(): string {
    if (this.#inbox !== undefined) return this.#inbox;
    const inbox = createInbox(inboxPrefixOf(this.#nc));
    this.#nc.subscribe(`${inbox}.*`, {
      callback: (error, answer) => {
        if (!error) return this.#answered(Number(answer.subject.slice(inbox.length + 1)), answer);
        this.#inbox = undefined;
        this.#rejectOpen(error);
      },
    });
    this.#inbox = inbox;
    this.#watching ??= this.#watchConnection();
    return inbox;
  }

  #answered(token: number, answer: Msg): void {
    const request = this.#open.get(token);
    // The reply came too late.
    if (request === undefined) return;
    this.#open.delete(token);
    this.#freeTokens.push(token);
    if (answer.headers?.code === NO_RESPONDERS) request.failed(new errors.NoRespondersError(request.subject));
    else request.answered(answer);
    this.#sendSoon();
  }

  #sendWaiting(): void {
    this.#sendAlongside();
    const due = this.#waiting.splice(0, MAX_OPEN - this.#open.size);
    for (const request of due) this.#sendNow(request);
    this.#frames.send();
  }

  #sendAlongside(): void {
    const alongside = this.#alongside;
    if (alongside.length === 0) return;
    this.#alongside = [];
    try {
      for (const message of alongside) this.#frames.add(message);
    } catch (error) {
      if (!(error instanceof errors.ClosedConnectionError || error instanceof errors.DrainingConnectionError))
        throw error;
    }
  }

  #sweep(): void {
    const now = performance.now();
    for (const [token, request] of this.#open) {
      if (request.deadline > now) continue;
      this.#open.delete(token);
      request.failed(new TimeoutError());
    }
    const firstInTime = this.#waiting.findIndex(({ deadline }) => deadline > now);
    const late = this.#waiting.splice(0, firstInTime < 0 ? this.#waiting.length : firstInTime);
    for (const request of late) request.failed(new TimeoutError());
    this.#sendSoon();
    const busy = this.#open.size > 0 || this.#waiting.length > 0;
    this.#sweeper = busy ? setTimeout(() => this.#sweep(), SWEEP_MS) : undefined;
  }

  /** After a disconnect, replies never come; a publish without permission is reported only here. */
  async #watchConnection(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === 'disconnect') this.#rejectAll(new Error('the connection was lost before the answer came'));
      if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
      const { error } = status;
      if (error.operation === 'publish') this.#rejectOpen(error, ({ subject }) => subject === error.subject);
    }
    this.#rejectAll(new errors.ClosedConnectionError());
  }

  #rejectAll(error: Error): void {
    this.#rejectOpen(error);
    for (const request of this.#waiting.splice(0)) request.failed(error);
  }

  #rejectOpen(error: Error, concerned: (request: PipeRequest) => boolean = () => true): void {
    for (const [token, request] of this.#open) {
      if (!concerned(request)) continue;
      this.#open.delete(token);
      request.failed(error);
    }
    this.#sendSoon();
  }
}
