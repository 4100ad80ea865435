// Follows the heartbeats in the stream: first the last one of every worker, then each new one. Starts over when it may have
// missed something. What a heartbeat means is presence-book.ts.
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
  /** Replicas of the presence stream, if it has to be created. */
  streamReplicas?: number | undefined;
  heard: (message: HeardMessage) => void;
  /** Everything that the stream stored up to `at` (its own clock) was received. */
  caughtUp: (at: number, streamCreated: string) => void;
  /** Interval of the check for missed messages, in milliseconds; default 1,000. */
  checkEveryMs?: number;
}

/** Messages asked for at once. */
const MAX_MESSAGES = 6_000;
/** The same interval until the first complete pass, in milliseconds. */
const FIRST_CHECK_MS = 25;
/** It starts over after this many checks without a message although there are some. */
const PATIENCE = 3;
/** What a consumer reports when it may have missed something. */
const DISTURBANCES = new Set(['consumer_deleted', 'consumer_not_found', 'stream_not_found', 'heartbeats_missed']);

/**
 * Follows until `signal` aborts or it has to start over: then the caller calls it again.
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
  // A single server loses its memory streams, configuration included, when it stops.
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
    // Heartbeats that arrive while the server answers may lie beyond the end that it reports.
    const { sequence: deliveredBefore } = delivered;
    const info = await stream.jsm.streams.info(source.name);
    if (source.shared && !storesHeartbeats(info)) throw new Error('the stream stores heartbeats no longer');
    if (info.created !== source.created) throw new Error('the stream was made anew');
    const last = source.shared ? await lastHeartbeat(stream, source) : info.state.last_seq;
    if (last < deliveredBefore) throw new Error('the stream begins anew');
    // A memory stream drops old messages: nothing may be left before its end.
    const all = delivered.sequence >= last || info.state.messages === 0;
    const now = { last, at: serverTime(info) };
    // While heartbeats keep coming, the stream's end is always a little ahead: the end at the last check counts.
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
