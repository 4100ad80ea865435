// Many requests at a time over one connection, each with its own answer, at a fraction of what the library's request()
// costs (a timer, a stack trace and a race of promises for each). What an answer means is left to who asks.
import {
  createInbox,
  errors,
  type Msg,
  type NatsConnection,
  type NatsConnectionImpl,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';
import { MessageFrames, type OutgoingMessage } from './message-frames.ts';

/** A request, and what becomes of it: one of the two is called, once. */
export interface PipeRequest extends Omit<OutgoingMessage, 'reply'> {
  /** From its being sent until it is to be answered. */
  readonly timeoutMs: number;
  /** The pipe's own. */
  deadline: number;
  answered(answer: Msg): void;
  /**
   * With {NoRespondersError} and {PermissionViolationError} when the server did not take it; {TimeoutError} when it was not
   * answered (or not even sent) in time, and other errors when the connection is lost: then it is not known whether it was taken.
   */
  failed(error: unknown): void;
}

/** Sent and not answered. More wait here: what a slow server gets too early it answers too late. */
const MAX_OPEN = 1_000;
/** The longest that a request waits to be sent. */
const WAITING_MS = 10_000;
/** How exactly timeouts are kept. */
const SWEEP_MS = 100;
const NO_RESPONDERS = 503;

export class RequestPipe {
  readonly #nc: NatsConnection;
  readonly #open = new Map<number, PipeRequest>();
  /** Of requests that were answered. That of one that was not is never used again: an answer that comes late is nobody else's. */
  readonly #freeTokens: number[] = [];
  /** In the order in which they are to be sent. */
  #waiting: PipeRequest[] = [];
  /** What is to be published along with them. */
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

  /** Sends a request and resolves with its answer. @throws what `PipeRequest.failed` is told */
  request(subject: string, body: string, options: { headers?: string; timeoutMs: number }): Promise<Msg> {
    return new Promise((answered, failed) => this.send({ subject, body, ...options, deadline: 0, answered, failed }));
  }

  /** Sends a request at the end of this turn of the event loop, or when the server has answered enough of those before. */
  send(request: PipeRequest): void {
    request.deadline = performance.now() + WAITING_MS;
    this.#waiting.push(request);
    this.#sendSoon();
    this.#sweeper ??= setTimeout(() => this.#sweep(), SWEEP_MS);
  }

  /** Publishes at the end of this turn of the event loop, in one write with the requests; nothing once the connection closes. */
  alongside(message: OutgoingMessage): void {
    this.#alongside.push(message);
    this.#sendSoon();
  }

  /** At the end of this turn of the event loop: many small writes to the socket cost more than what they carry. */
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
    // Answers go to few subjects, which the server remembers the way to.
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
    // The library's own type leaves the options out.
    const inbox = createInbox((this.#nc as Partial<NatsConnectionImpl>).options?.inboxPrefix);
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
    // It came too late.
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
    const patient = this.#waiting.findIndex(({ deadline }) => deadline > now);
    const late = this.#waiting.splice(0, patient < 0 ? this.#waiting.length : patient);
    for (const request of late) request.failed(new TimeoutError());
    this.#sendSoon();
    const busy = this.#open.size > 0 || this.#waiting.length > 0;
    this.#sweeper = busy ? setTimeout(() => this.#sweep(), SWEEP_MS) : undefined;
  }

  /** Answers to what was sent before a connection was lost never come; a publish that is not permitted is only reported. */
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
