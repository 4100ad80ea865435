// A live tail of lifecycle events from the JOBS stream. After a reconnect it continues with the next event.
import { type ConsumerMessages, DeliverPolicy, jetstream, type OrderedConsumerOptions } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { DEFAULT_STREAM_NAMES, decodeEvent, type StoredEvent } from '@trellis/contracts';
import { type FoldedJob, isEnded, reduce } from '@trellis/lifecycle';

export interface WatchOptions {
  /** Only this job: its events so far and those to come, until it has ended. */
  id?: string | undefined;
  service?: string | undefined;
  type?: string | undefined;
  /** Start with events stored since then (RFC 3339). Default: only events to come. */
  since?: string | undefined;
  signal: AbortSignal;
}

/** Valid events in stream order. Ends when `signal` aborts or the job has ended. */
export async function* watchEvents(connection: NatsConnection, options: WatchOptions): AsyncGenerator<StoredEvent> {
  const { id, service = '*', type = '*', since, signal } = options;
  const consumer = await jetstream(connection).consumers.get(DEFAULT_STREAM_NAMES.jobs, {
    filter_subjects: [`trellis.jobs.${service}.${type}.${id ?? '*'}.*`],
    ...startAt(id, since),
  });
  const messages = await consumer.consume();
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    yield* readEvents(messages, id);
  } finally {
    signal.removeEventListener('abort', stop);
    await messages.close();
  }
}

function startAt(id: string | undefined, since: string | undefined): Partial<OrderedConsumerOptions> {
  if (since !== undefined) return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: since };
  return { deliver_policy: id === undefined ? DeliverPolicy.New : DeliverPolicy.All };
}

async function* readEvents(messages: ConsumerMessages, id: string | undefined): AsyncGenerator<StoredEvent> {
  let job: FoldedJob | undefined;
  for await (const message of messages) {
    const { subject, seq: sequence, data } = message;
    const decoded = decodeEvent({ subject, sequence, storedAt: message.time.toISOString(), data });
    if (decoded.kind !== 'event') continue;
    yield decoded.stored;
    if (id === undefined) continue;
    const outcome = reduce(job, decoded.stored);
    if (outcome.kind === 'applied') job = outcome.job;
    // An ended job may have been retried later, so only its last event decides.
    if (job && isEnded(job.state) && message.info.pending === 0) return;
  }
}
