// Follows the JOBS stream from a checkpoint, in order and without gaps. The caller owns the checkpoint: the durable consumer is
// recreated there at every start and after every disturbance, and shows the progress.
import { AckPolicy, DeliverPolicy, JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { backoffMs, type Logger, sleep } from '@trellis/async';
import { ALL_EVENTS_FILTER, type StoredMessage } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import { type PulledMessage, PullSubscription } from './pull-subscription.ts';

export interface TailBatch {
  /** Empty when only messages of other subjects, or deleted ones, lie between `first` and `last`. */
  messages: StoredMessage[];
  /** First and last stream sequence that the batch passes; the next batch begins at `last + 1`. */
  first: number;
  last: number;
  /** When the stream stored the message at `last`; undefined when there is none any more. */
  lastStoredAt: string | undefined;
  /** Messages still waiting in the stream after this batch. */
  pending: number;
  /** Acknowledges everything up to `last`. For display only: the caller's checkpoint decides. */
  ack(): void;
}

export interface TailOptions {
  stream: JobStream;
  /** Durable name. */
  consumer: string;
  /** First wanted stream sequence. */
  from: number;
  /** Creation time of the stream that `from` belongs to; default: the stream that is there now. */
  created?: string;
  maxMessages: number;
  /** Of one batch; default 16 MB. About twice as much is prefetched. A single message may be larger. */
  maxBytes?: number;
  /** Wait for more after the first message of a batch while the batch is small and nothing is pending. */
  lingerMs: number;
  signal: AbortSignal;
  log: Logger;
  /** How often an idle tail checks that it misses nothing; default 5,000. */
  idleCheckMs?: number;
}

/** The stream is not the one that the position belongs to: deleted, recreated, or restored from an older copy. */
export class StreamRecreated extends Error {
  override readonly name = 'StreamRecreated';
}

/** Longest wait for a batch to fill with messages that the server has announced. */
const ANNOUNCED_MS = 100;

/**
 * Yields batches in stream order, forever; ends when `signal` aborts. Disturbances (a lost connection, a deleted consumer,
 * a server that restarts) are waited out: the tail continues where it was.
 * @throws {StreamRecreated} when the stream was deleted, recreated or restored
 * @throws Error when the connection is closed for good
 */
export async function* tailStream(options: TailOptions): AsyncGenerator<TailBatch, void, undefined> {
  const { stream, signal, log, consumer } = options;
  const { apiPrefix = '$JS.API', watcherPrefix } = stream.jsm.getOptions();
  const position: Position = { next: Math.max(1, options.from), created: options.created, lastStoredAt: undefined };
  for (let failures = 0; !signal.aborted; ) {
    try {
      await openConsumer(options, position);
      using pull = new PullSubscription({
        nc: stream.nc,
        apiPrefix,
        inboxPrefix: watcherPrefix,
        stream: stream.names.jobs,
        consumer,
        maxMessages: 2 * options.maxMessages,
        maxBytes: 2 * (options.maxBytes ?? DEFAULT_MAX_BYTES),
        signal,
      });
      for (;;) {
        const batch = await nextBatch(pull, options, position);
        if (!batch) break;
        failures = 0;
        position.next = batch.last + 1;
        position.lastStoredAt = batch.lastStoredAt;
        yield batch;
      }
      if (signal.aborted) return;
      log.info(
        { consumer, position: position.next - 1, reason: pull.ended?.message },
        'the tail of the stream starts over',
      );
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof StreamRecreated || stream.nc.isClosed()) throw error;
      log.warn({ consumer, position: position.next - 1, error }, 'the stream cannot be followed now');
    }
    // The first restart has no wait: most often the connection has just come back.
    await sleep(backoffMs(++failures, 20, 2_000), signal);
  }
}

const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
const ANY = { messages: 1, bytes: Infinity, orCaughtUp: false };

interface Position {
  next: number;
  created: string | undefined;
  /** When the stream stored the message before `next`, where that was seen. */
  lastStoredAt: string | undefined;
}

/** Puts the durable consumer at the position, and makes sure that the position is one of this stream. */
async function openConsumer({ stream, consumer, maxMessages }: TailOptions, position: Position): Promise<void> {
  await verifyStream(stream, position);
  const last = position.lastStoredAt === undefined ? undefined : await stream.messageAt(position.next - 1);
  // A stream that was restored from an older copy keeps its creation time, and may have grown beyond the position since.
  if (last && new Date(last.storedAt).toISOString() !== position.lastStoredAt) {
    throw new StreamRecreated(
      `message ${last.sequence} was stored at ${last.storedAt}, not at ${position.lastStoredAt}`,
    );
  }
  await stream.jsm.consumers.delete(stream.names.jobs, consumer).catch(ignore(JetStreamApiCodes.ConsumerNotFound));
  await stream.jsm.consumers.add(stream.names.jobs, {
    durable_name: consumer,
    description: `recreated at its reader's stored position; prefetches ${2 * maxMessages}`,
    filter_subject: ALL_EVENTS_FILTER,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: position.next,
    ack_policy: AckPolicy.All,
    // It is recreated at every start, so nothing of it need be on disk.
    mem_storage: true,
    // Unacknowledged messages are bounded by the pulls; a store that is down for hours must not cause redeliveries.
    max_ack_pending: -1,
    ack_wait: nanos(24 * 3_600_000),
  });
  await verifyStream(stream, position);
}

async function verifyStream(stream: JobStream, position: Position): Promise<number> {
  const info = await stream.info().catch((cause: unknown) => {
    if (isApiError(cause, JetStreamApiCodes.StreamNotFound)) {
      throw new StreamRecreated(`the stream ${stream.names.jobs} does not exist`, { cause });
    }
    throw cause;
  });
  position.created ??= info.created;
  if (info.created !== position.created) {
    throw new StreamRecreated(`the stream was created at ${info.created}, not at ${position.created}`);
  }
  // A consumer that starts beyond the stream's end would deliver nothing, silently.
  if (info.lastSequence < position.next - 1) {
    throw new StreamRecreated(`the stream ends at ${info.lastSequence}, before the position ${position.next - 1}`);
  }
  return info.lastSequence;
}

/** The next batch; undefined when the subscription has ended or `signal` aborted. */
async function nextBatch(
  pull: PullSubscription,
  options: TailOptions,
  position: Position,
): Promise<TailBatch | undefined> {
  const { signal, maxMessages, maxBytes = DEFAULT_MAX_BYTES, lingerMs, idleCheckMs = 5_000 } = options;
  while (pull.available === 0) {
    await pull.until(ANY, idleCheckMs);
    if (signal.aborted || (pull.ended && pull.available === 0)) return undefined;
    if (pull.available > 0) break;
    const passed = await passIdle(pull, options, position);
    if (passed) return passed;
  }
  const full = { messages: maxMessages, bytes: maxBytes, orCaughtUp: false };
  if (pull.pending > 0) await pull.until({ ...full, orCaughtUp: true }, Math.max(lingerMs, ANNOUNCED_MS));
  if (pull.pending === 0 && lingerMs > 0) await pull.until(full, lingerMs);
  if (signal.aborted) return undefined;
  return toBatch(pull.take(maxMessages, maxBytes), pull, options, position);
}

function toBatch(
  messages: PulledMessage[],
  pull: PullSubscription,
  { stream }: TailOptions,
  position: Position,
): TailBatch {
  let { next } = position;
  for (const { sequence } of messages) {
    if (sequence < next) throw new Error(`sequence ${sequence} came after ${next - 1}`);
    next = sequence + 1;
  }
  const last = messages.at(-1);
  if (!last) throw new Error('a batch without messages');
  return {
    messages,
    first: position.next,
    last: last.sequence,
    lastStoredAt: last.storedAt,
    pending: last.pending,
    ack: () => {
      // Another consumer of that name does not know these deliveries.
      if (pull.ended === undefined) stream.nc.publish(last.reply, '+ACK');
    },
  };
}

/**
 * Checks after a while without messages whether there are really none. Skips sequences at the end of the stream that are
 * deleted or of other subjects; ends the subscription when the stream holds a message that was not delivered.
 */
async function passIdle(
  pull: PullSubscription,
  options: TailOptions,
  position: Position,
): Promise<TailBatch | undefined> {
  const { stream, signal } = options;
  const lastSequence = await verifyStream(stream, position);
  if (lastSequence < position.next) return undefined;
  const waiting = await stream.nextOf(ALL_EVENTS_FILTER, position.next);
  if (waiting && waiting.sequence <= lastSequence) {
    // It may just be on its way.
    await pull.until(ANY, 1_000);
    if (pull.available > 0 || pull.ended || signal.aborted) return undefined;
    throw new Error(`sequence ${waiting.sequence} is in the stream and was not delivered`);
  }
  const last = await stream.messageAt(lastSequence);
  if (pull.available > 0) return undefined;
  return {
    messages: [],
    first: position.next,
    last: lastSequence,
    lastStoredAt: last && new Date(last.storedAt).toISOString(),
    pending: 0,
    ack: () => undefined,
  };
}

const isApiError = (error: unknown, code: number): boolean => error instanceof JetStreamApiError && error.code === code;

const ignore = (code: number) => (error: unknown) => {
  if (!isApiError(error, code)) throw error;
};
