// Stores one lifecycle event and says what became of it: stored, or refused because its condition did not hold.
// Answers that decide nothing (timeouts, a conflict still in flight) are resolved here by reading the leader, always
// with the same message id (docs/protocol.md#headers-and-conditions).
import { JetStreamApiError } from '@nats-io/jetstream';
import { type Msg, type MsgHdrs, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { backoffMs, sleep } from '@trellis/async';
import { eventSubject, type JobContext, type LifecycleEvent, newId } from '@trellis/contracts';
import { isConnected, whenConnected } from './connect-nats.ts';
import { sequenceOfPlainAck } from './plain-ack.ts';
import type { PipeRequest, RequestPipe } from './request-pipe.ts';
import type { StreamFeatures, StreamMessage } from './stream-message.ts';

/** What publishing needs of the stream; `JobStream` is one. */
export interface PublishTarget {
  readonly nc: NatsConnection;
  readonly features: StreamFeatures;
  readonly pipe: RequestPipe;
  lastOf(filter: string): Promise<StreamMessage | undefined>;
  messageAt(sequence: number): Promise<StreamMessage | undefined>;
}

export interface PublishOptions {
  /** Fixed before the first try and kept for its retries; default a random ULID. */
  messageId?: string;
  /** The event's JSON text, for callers that have made it already. */
  json?: string;
  /** Stored only if the last sequence over `filter` is `lastSequence` (0: no message). */
  expect?: { lastSequence: number; filter: string };
  signal?: AbortSignal;
  /** Gives up after this long; default 30,000. Must stay below the stream's duplicate window. */
  timeoutMs?: number;
}

export type PublishOutcome =
  /** `found`: the stored message, where it was there already: from an earlier try, or of another publisher of the same id. */
  | { kind: 'stored'; sequence: number; found?: StreamMessage }
  /** The condition did not hold. `lastSequence`: what the last sequence over the filter was found to be. */
  | { kind: 'conflict'; lastSequence: number };

/** It is not known whether the event was stored, or the server refuses it for good. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  /** Refused for good: the event is not stored, and no retry will store it. */
  readonly refused: boolean;

  constructor(message: string, options: { refused?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.refused = options.refused ?? false;
  }
}

/** Server answers that are no verdict: a conflict in flight, a duplicate in flight, a temporary overload. */
const UNDECIDED = new Set([10164, 10158, 10163]);
const WRONG_LAST_SEQUENCE = 10071;
/** Status of an answer: the server has more waiting than it takes. */
const TOO_MANY = 429;
const ONE_TRY_MS = 2_000;
const LINE_BREAK = /[\r\n]/;
const DEFAULT_TIMEOUT_MS = 30_000;

type Verdict = PublishOutcome | { kind: 'undecided'; cause: unknown } | { kind: 'lost' };

/**
 * Stores `event` and waits for the stream's acknowledgement.
 * @throws {PublishError} when time or `signal` ran out with the outcome unknown, or the server refuses the event for good
 */
export function publishEvent(
  stream: PublishTarget,
  event: LifecycleEvent,
  options: PublishOptions,
): Promise<PublishOutcome> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, expect, signal } = options;
  const message: Message = {
    context: event.context,
    subject: eventSubject(event.service, event.jobType, event.jobId, event.eventType),
    json: options.json ?? JSON.stringify(event),
    messageId: options.messageId ?? defaultMessageId(stream, event, expect),
    expect,
  };
  const deadline = performance.now() + timeoutMs;
  if (
    !isConnected(stream.nc) ||
    signal?.aborted ||
    (expect && !stream.features.conditionalFilter) ||
    isBroken(message)
  ) {
    return publishUntilKnown(stream, message, deadline, signal);
  }
  return new Promise((resolve) => stream.pipe.send(new FirstTry(stream, message, deadline, signal, resolve)));
}

/** Almost always the first answer is a plain acknowledgement, and none of what all others may need is set up. */
class FirstTry implements PipeRequest {
  readonly timeoutMs: number;
  deadline = 0;
  readonly #stream: PublishTarget;
  readonly #message: Message;
  readonly #givesUpAt: number;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (outcome: PublishOutcome | Promise<PublishOutcome>) => void;

  constructor(
    stream: PublishTarget,
    message: Message,
    givesUpAt: number,
    signal: AbortSignal | undefined,
    resolve: (outcome: PublishOutcome | Promise<PublishOutcome>) => void,
  ) {
    this.timeoutMs = Math.min(ONE_TRY_MS, givesUpAt - performance.now());
    this.#stream = stream;
    this.#message = message;
    this.#givesUpAt = givesUpAt;
    this.#signal = signal;
    this.#resolve = resolve;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get body(): string {
    return this.#message.json;
  }

  /** Put together when they are sent, and not kept. */
  get headers(): string {
    return headersOf(this.#message, this.#message.expect);
  }

  answered(answer: Msg): void {
    const sequence = sequenceOfPlainAck(answer.data);
    this.#resolve(sequence === undefined ? this.#goOn(Promise.resolve(answer)) : { kind: 'stored', sequence });
  }

  failed(error: unknown): void {
    this.#resolve(this.#goOn(Promise.reject(error)));
  }

  #goOn(first: Promise<Msg>): Promise<PublishOutcome> {
    return publishUntilKnown(this.#stream, this.#message, this.#givesUpAt, this.#signal, first);
  }
}

/** @param first the answer to a first request, where that has been sent */
async function publishUntilKnown(
  stream: PublishTarget,
  message: Message,
  deadline: number,
  signal: AbortSignal | undefined,
  first?: Promise<Msg>,
): Promise<PublishOutcome> {
  const { subject, expect } = message;
  let cause: unknown;
  for (let attempt = 1; ; attempt++) {
    const left = deadline - performance.now();
    const answer = attempt === 1 ? first : undefined;
    if (answer === undefined && (signal?.aborted || left <= 0)) {
      throw new PublishError(`${subject}: not known to be stored after ${attempt - 1} tries`, {
        refused: false,
        cause: cause ?? signal?.reason,
      });
    }
    let verdict: Verdict;
    try {
      verdict = await tryOnce(stream, message, Math.min(ONE_TRY_MS, left), answer);
      if (verdict.kind === 'undecided') {
        cause = verdict.cause;
        await sleep(backoffMs(attempt, 20, 400), signal);
        verdict = await readVerdict(stream, subject, message.messageId, expect);
      }
    } catch (error) {
      if (isRefusal(error)) throw new PublishError(`${subject}: refused`, { refused: true, cause: error });
      if (stream.nc.isClosed())
        throw new PublishError(`${subject}: the connection is closed`, { refused: false, cause: error });
      verdict = { kind: 'undecided', cause: error };
      cause = error;
      await sleep(backoffMs(attempt, 20, 400), signal);
    }
    if (verdict.kind === 'stored' || verdict.kind === 'conflict') return verdict;
    // The window remembers an id whose message was purged: nothing was stored, and only a new id can be.
    if (verdict.kind === 'lost') message.messageId = `${message.messageId}:${newId()}`;
  }
}

/** Without conditions over a filter the id itself carries the condition: one event of a kind per state of the job. */
function defaultMessageId(stream: PublishTarget, event: LifecycleEvent, expect: PublishOptions['expect']): string {
  if (!expect || stream.features.conditionalFilter) return newId();
  return `${event.jobId}:${event.eventType}:${expect.lastSequence}`;
}

/** Of the event only what goes into its headers: a thousand messages may wait for their answers. */
interface Message {
  context: JobContext;
  subject: string;
  json: string;
  messageId: string;
  expect: PublishOptions['expect'];
}

async function tryOnce(
  stream: PublishTarget,
  message: Message,
  timeoutMs: number,
  first: Promise<Msg> | undefined,
): Promise<Verdict> {
  const { subject, messageId, expect } = message;
  if (first === undefined && !isConnected(stream.nc)) await whenConnected(stream.nc, timeoutMs);
  if (expect && !stream.features.conditionalFilter) {
    // An older server checks no condition over a filter: look first; the message id settles equal races.
    const last = await stream.lastOf(expect.filter);
    if (last && messageIdOf(last.headers) === messageId)
      return { kind: 'stored', sequence: last.sequence, found: last };
    if ((last?.sequence ?? 0) !== expect.lastSequence) return { kind: 'conflict', lastSequence: last?.sequence ?? 0 };
  }
  try {
    const answer = await (first ?? request(stream, message, timeoutMs));
    const ack = answer.json<Acknowledgement>();
    if (ack.error) throw new JetStreamApiError(ack.error);
    if (!ack.duplicate) return { kind: 'stored', sequence: ack.seq };
    const stored = await stream.messageAt(ack.seq);
    if (stored === undefined || messageIdOf(stored.headers) !== messageId) return { kind: 'lost' };
    return { kind: 'stored', sequence: ack.seq, found: stored };
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    if (error.code === WRONG_LAST_SEQUENCE) return readVerdict(stream, subject, messageId, expect);
    if (UNDECIDED.has(error.code) || error.status === TOO_MANY || error.status >= 500)
      return { kind: 'undecided', cause: error };
    throw error;
  }
}

/** What the leader says: stored, if the last message of the subject is ours; else whether the condition still holds. */
async function readVerdict(
  stream: PublishTarget,
  subject: string,
  messageId: string,
  expect: PublishOptions['expect'],
): Promise<Verdict> {
  const own = await stream.lastOf(subject);
  if (own && messageIdOf(own.headers) === messageId) return { kind: 'stored', sequence: own.sequence, found: own };
  if (!expect) return { kind: 'undecided', cause: undefined };
  const last = await stream.lastOf(expect.filter);
  const lastSequence = last?.sequence ?? 0;
  return lastSequence === expect.lastSequence
    ? { kind: 'undecided', cause: undefined }
    : { kind: 'conflict', lastSequence };
}

interface Acknowledgement {
  seq: number;
  duplicate?: boolean;
  error?: { code: number; err_code: number; description: string };
}

function request(stream: PublishTarget, message: Message, timeoutMs: number): Promise<Msg> {
  if (isBroken(message)) {
    return Promise.reject(new PublishError('headers: line breaks cannot be carried', { refused: true }));
  }
  const condition = stream.features.conditionalFilter ? message.expect : undefined;
  return stream.pipe.request(message.subject, message.json, { headers: headersOf(message, condition), timeoutMs });
}

/** Whether a header would hold a line break. One by one: what is put together for a test alone would be put together for each event. */
function isBroken({ context, messageId }: Message): boolean {
  const { requestId, traceparent, tracestate = '' } = context;
  return (
    LINE_BREAK.test(requestId) ||
    LINE_BREAK.test(traceparent) ||
    LINE_BREAK.test(tracestate) ||
    LINE_BREAK.test(messageId)
  );
}

function headersOf({ context, messageId }: Message, expect: PublishOptions['expect']): string {
  const { requestId, traceparent, tracestate } = context;
  const state = tracestate === undefined ? '' : `tracestate: ${tracestate}\r\n`;
  const condition = expect
    ? `Nats-Expected-Last-Subject-Sequence: ${expect.lastSequence}\r\nNats-Expected-Last-Subject-Sequence-Subject: ${expect.filter}\r\n`
    : '';
  return `request-id: ${requestId}\r\ntraceparent: ${traceparent}\r\n${state}Nats-Msg-Id: ${messageId}\r\n${condition}`;
}

const messageIdOf = (carried: MsgHdrs | undefined): string | undefined => carried?.get('Nats-Msg-Id') || undefined;

/** Refusals that no retry changes: a broken request, no permission, a message that is too large. */
function isRefusal(error: unknown): boolean {
  if (error instanceof PublishError) return error.refused;
  if (error instanceof PermissionViolationError) return true;
  if (error instanceof Error && error.cause instanceof PermissionViolationError) return true;
  if (error instanceof JetStreamApiError) return error.status >= 400 && error.status < 500;
  const text = error instanceof Error ? `${error.name} ${error.message}` : '';
  return /InvalidArgument|InvalidSubject|max_payload/.test(text);
}
