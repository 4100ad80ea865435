// Follows the heartbeats in the stream: first the last one of every worker, then each as it comes; starts over when it
// cannot be sure to hear everything. What a heartbeat means is presence-book.ts.
import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { QueuedIterator, Status } from '@nats-io/transport-node';
import { type Logger, sleep } from '@trellis/async';
import { ALL_HEARTBEATS_FILTER } from '@trellis/contracts';
import { type JobStream, provision, whenConnected } from '@trellis/nats';

export interface HeardMessage {
  subject: string;
  data: Uint8Array;
  sequence: number;
  /** When the stream stored it, milliseconds since the epoch. */
  storedAt: number;
}

export interface FollowOptions {
  stream: JobStream;
  signal: AbortSignal;
  log: Logger;
  /** Replicas of the presence stream where it has to be made. */
  streamReplicas?: number | undefined;
  heard: (message: HeardMessage) => void;
  /** Everything that the stream stored up to `at` (its own clock) was heard. */
  caughtUp: (at: number, streamCreated: string) => void;
  /** How often it is made sure that nothing is missed; default 1,000. */
  checkEveryMs?: number;
}

/** Messages asked for at once. */
const MAX_MESSAGES = 6_000;
/** At the start it is asked so often whether everybody was heard. */
const FIRST_CHECK_MS = 25;
/** So many regular checks long nothing may come, although there is something to hear; then it starts over. */
const PATIENCE = 3;
/** What a consumer reports when it may have missed something. */
const DISTURBANCES = new Set(['consumer_deleted', 'consumer_not_found', 'stream_not_found', 'heartbeats_missed']);

/**
 * Follows until `signal` aborts or it has to start over, which the caller does by calling it again.
 * @throws when the stream is not there, or does not answer
 */
export async function followHeartbeats(options: FollowOptions): Promise<void> {
  const { stream, signal, log, heard, checkEveryMs = 1_000 } = options;
  await whenConnected(stream.nc);
  const source = await findSource(options);
  const consumer = await stream.js.consumers.get(source.name, {
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subjects: ALL_HEARTBEATS_FILTER,
  });
  const messages = await consumer.consume({ max_messages: MAX_MESSAGES });
  const over = new AbortController();
  const startOver = (reason: string) => {
    if (over.signal.aborted) return;
    log.info({ stream: source.name, reason }, 'the heartbeats are followed anew');
    over.abort();
  };
  const delivered = { sequence: 0 };
  // The library's status iterator can be stopped; only its type does not say so.
  const connection = stream.nc.status() as QueuedIterator<Status>;
  const watching = [
    watchConnection(connection, startOver),
    watchConsumer(messages, startOver),
    check(options, source, delivered, AbortSignal.any([signal, over.signal]), checkEveryMs).catch((error: unknown) =>
      startOver(error instanceof Error ? error.message : String(error)),
    ),
  ];
  const stop = () => void messages.close();
  const either = AbortSignal.any([signal, over.signal]);
  either.addEventListener('abort', stop, { once: true });
  if (either.aborted) stop();
  try {
    for await (const message of messages) {
      delivered.sequence = message.seq;
      heard({ subject: message.subject, data: message.data, sequence: message.seq, storedAt: message.time.getTime() });
    }
    startOver('the consumer has ended');
  } finally {
    over.abort();
    connection.stop();
    await messages.close();
    await Promise.all(watching);
  }
}

interface Source {
  name: string;
  created: string;
  /** The stream holds job events too: a deployment that was not migrated. */
  shared: boolean;
}

/** What the public design stores in JOBS: heartbeats included. */
const storesHeartbeats = ({ config }: StreamInfo): boolean => config.subjects.includes('trellis.jobs.>');

async function findSource(options: FollowOptions): Promise<Source> {
  const { nc, names } = options.stream;
  const found = await findPresence(options.stream);
  if (found) return found;
  const jobs = await options.stream.jsm.streams.info(names.jobs);
  if (storesHeartbeats(jobs)) return { name: names.jobs, created: jobs.created, shared: true };
  // A server that stands alone forgets its memory streams, with their configuration, when it ends.
  await provision(nc, { names, replicas: options.streamReplicas, log: options.log });
  const made = await findPresence(options.stream);
  if (!made) throw new Error(`the stream ${names.presence} does not exist`);
  return made;
}

async function findPresence({ jsm, names }: JobStream): Promise<Source | undefined> {
  try {
    const { created } = await jsm.streams.info(names.presence);
    return { name: names.presence, created, shared: false };
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return undefined;
    throw error;
  }
}

async function watchConnection(status: AsyncIterable<Status>, startOver: (reason: string) => void): Promise<void> {
  for await (const { type } of status) {
    if (type === 'reconnect' || type === 'close') startOver(`the connection reports ${type}`);
  }
}

async function watchConsumer(messages: ConsumerMessages, startOver: (reason: string) => void): Promise<void> {
  for await (const { type } of messages.status()) {
    if (DISTURBANCES.has(type)) startOver(`the consumer reports ${type}`);
  }
}

/** Compares what was delivered with what the stream holds. @throws when something is missed, or cannot be known */
async function check(
  { stream, caughtUp }: FollowOptions,
  source: Source,
  delivered: { sequence: number },
  signal: AbortSignal,
  everyMs: number,
): Promise<void> {
  let stuckMs = 0;
  let pauseMs = Math.min(FIRST_CHECK_MS, everyMs);
  let before = -1;
  let probe: { last: number; at: number } | undefined;
  while (!signal.aborted) {
    // Heartbeats that come while the server answers may be beyond the end that it tells.
    const { sequence: deliveredBefore } = delivered;
    const info = await stream.jsm.streams.info(source.name);
    if (source.shared && !storesHeartbeats(info)) throw new Error('the stream stores heartbeats no longer');
    if (info.created !== source.created) throw new Error('the stream was made anew');
    const last = source.shared ? await lastHeartbeat(stream, source) : info.state.last_seq;
    if (last < deliveredBefore) throw new Error('the stream begins anew');
    // A memory stream forgets; nothing may be left of what its end says.
    const all = delivered.sequence >= last || info.state.messages === 0;
    const now = { last, at: serverTime(info) };
    // While heartbeats keep coming the stream's end is always a little ahead: then the end of the last look counts.
    const reached = all ? now : probe && delivered.sequence >= probe.last ? probe : undefined;
    if (reached) {
      caughtUp(reached.at, new Date(source.created).toISOString());
      pauseMs = everyMs;
    }
    stuckMs = all || delivered.sequence !== before ? 0 : stuckMs + pauseMs;
    if (stuckMs >= PATIENCE * everyMs)
      throw new Error(`nothing comes after ${delivered.sequence}, the stream ends at ${last}`);
    before = delivered.sequence;
    probe = now;
    await sleep(pauseMs, signal);
  }
}

async function lastHeartbeat({ jsm }: JobStream, { name }: Source): Promise<number> {
  return (await jsm.streams.getMessage(name, { last_by_subj: ALL_HEARTBEATS_FILTER }))?.seq ?? 0;
}

/** The server's clock, in which messages are stored; the library's type leaves it out. */
function serverTime(info: object): number {
  const { ts } = info as { ts?: unknown };
  const millis = typeof ts === 'string' ? Date.parse(ts) : Number.NaN;
  return Number.isNaN(millis) ? Date.now() : millis;
}
