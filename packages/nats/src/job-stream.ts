// The JOBS stream as the rest of the system sees it: publish one lifecycle event with its condition, look at a job.
// What an event means is @trellis/lifecycle's business; how a publish is decided is publish-event.ts.
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type MsgRequest,
  type NextMsgRequest,
  type StoredMsg,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { BatchLoader, type Logger, silentLogger } from '@trellis/async';
import {
  DEFAULT_STREAM_NAMES,
  decodeEvent,
  type EventType,
  eventSubject,
  jobFilter,
  jobIdFilter,
  type LifecycleEvent,
  type StoredEvent,
  type StreamNames,
} from '@trellis/contracts';
import { type FoldedJob, fold } from '@trellis/lifecycle';
import { serverAtLeast, whenConnected } from './connect-nats.ts';
import { decodeHeaders } from './internals.ts';
import { type MessageCounts, type MessageSource, messagesOf } from './messages-of-job.ts';
import { type PublishOptions, type PublishOutcome, publishEvent } from './publish-event.ts';
import { RequestPipe } from './request-pipe.ts';
import type { StreamFeatures, StreamMessage } from './stream-message.ts';

export interface ReadJob {
  job: FoldedJob | undefined;
  /** Sequence of the last message of the job's owner, 0 when there is none. For conditions. */
  lastSequence: number;
  /** Every readable event of that id, in stream order. */
  events: StoredEvent[];
}

const GET_MS = 5_000;

interface GetAnswer {
  error?: ConstructorParameters<typeof JetStreamApiError>[0];
  /** `hdrs` and `data` in base64. */
  message: { subject: string; seq: number; time: string; hdrs?: string; data?: string };
}

/** Subjects that the server answers in one request. */
const MAX_SUBJECTS = 1_024;

interface InfoAnswer {
  error?: ConstructorParameters<typeof JetStreamApiError>[0];
  state: { last_seq: number; subjects?: Record<string, number> };
}

export class JobStream {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly names: StreamNames;
  readonly features: StreamFeatures;
  readonly log: Logger;
  /** Requests of which many are in flight at a time. */
  readonly pipe: RequestPipe;
  /** After a crash a whole queue is delivered again and each of its jobs is read: requests of the same turn share one. */
  private readonly lastMessages = new BatchLoader<string, StreamMessage>((subjects) => this.getLast(subjects), {
    maxConcurrent: Number.POSITIVE_INFINITY,
    maxKeys: MAX_SUBJECTS,
    defer: setImmediate,
  });

  private constructor(nc: NatsConnection, jsm: JetStreamManager, names: StreamNames, log: Logger) {
    this.nc = nc;
    this.js = jetstream(nc);
    this.jsm = jsm;
    this.names = names;
    this.log = log;
    void whenConnected(nc);
    this.features = {
      conditionalFilter: serverAtLeast(nc, 2, 11),
      multiGet: serverAtLeast(nc, 2, 11),
      atomicBatch: serverAtLeast(nc, 2, 12),
    };
    this.pipe = new RequestPipe(nc);
  }

  /** The stream behind a connection; the stream itself may be made later (see `provision`). */
  static async open(nc: NatsConnection, options: { names?: StreamNames; log?: Logger } = {}): Promise<JobStream> {
    return new JobStream(
      nc,
      await jetstreamManager(nc),
      options.names ?? DEFAULT_STREAM_NAMES,
      options.log ?? silentLogger(),
    );
  }

  /** Stores one lifecycle event. See `publishEvent` for how unclear answers are decided. */
  publish(event: LifecycleEvent, options: PublishOptions = {}): Promise<PublishOutcome> {
    return publishEvent(this, event, options);
  }

  /** Creation time and bounds of the stream. @throws StreamNotFoundError */
  async info(): Promise<{ created: string; firstSequence: number; lastSequence: number; messages: number }> {
    await whenConnected(this.nc);
    const { created, state } = await this.jsm.streams.info(this.names.jobs);
    return {
      created: new Date(created).toISOString(),
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      messages: state.messages,
    };
  }

  /** The message at a sequence, from the leader; undefined when it is gone or not there yet. */
  messageAt(sequence: number): Promise<StreamMessage | undefined> {
    return this.get({ seq: sequence });
  }

  /** The last message of any of the job's events, from the leader. */
  lastOfJob(service: string, type: string, jobId: string): Promise<StreamMessage | undefined> {
    return this.get({ last_by_subj: jobFilter(service, type, jobId) });
  }

  /** The first message from `sequence` on whose subject matches `filter`, from the leader. */
  nextOf(filter: string, sequence: number): Promise<StreamMessage | undefined> {
    return this.get({ seq: sequence, next_by_subj: filter });
  }

  /** The last message of an exact subject or a filter, from the leader. */
  lastOf(subject: string): Promise<StreamMessage | undefined> {
    return this.get({ last_by_subj: subject });
  }

  /**
   * The last message of each of these events of one job; events that never happened are left out. A replica may answer:
   * the view can be older than the leader's, never invented.
   */
  async lastOfEvents(
    service: string,
    type: string,
    jobId: string,
    events: readonly EventType[],
  ): Promise<Map<EventType, StreamMessage>> {
    const subjects = events.map((event) => eventSubject(service, type, jobId, event));
    const messages = await this.lastOfEach(subjects);
    return new Map(
      messages.map((message) => [message.subject.slice(message.subject.lastIndexOf('.') + 1) as EventType, message]),
    );
  }

  /** Every event of a job id, read from the leader and folded. */
  async readJob(jobId: string): Promise<ReadJob> {
    const events: StoredEvent[] = [];
    const lastOfOwner = new Map<string, number>();
    const source: MessageSource = {
      countMessages: (filter) => this.countMessages(filter),
      lastOfEach: (subjects) => this.lastOfEach(subjects),
      nextOf: (subject, sequence) => this.nextOf(subject, sequence),
    };
    for (const message of await messagesOf(source, jobIdFilter(jobId))) {
      lastOfOwner.set(message.subject.slice(0, message.subject.lastIndexOf('.')), message.sequence);
      const decoded = decodeEvent(message);
      if (decoded.kind === 'event') events.push(decoded.stored);
    }
    const job = fold(events);
    const owner = job ? `trellis.jobs.${job.service}.${job.type}.${job.id}` : undefined;
    return { job, events, lastSequence: (owner === undefined ? undefined : lastOfOwner.get(owner)) ?? 0 };
  }

  private async lastOfEach(subjects: string[]): Promise<StreamMessage[]> {
    await whenConnected(this.nc);
    if (!this.features.multiGet) return this.getEach(subjects);
    const found = await this.lastMessages.loadMany(subjects);
    return found.filter((message) => message !== undefined);
  }

  private async countMessages(filter: string): Promise<MessageCounts> {
    await whenConnected(this.nc);
    const subject = `$JS.API.STREAM.INFO.${this.names.jobs}`;
    const answer = await this.pipe.request(subject, JSON.stringify({ subjects_filter: filter }), { timeoutMs: GET_MS });
    const { error, state } = answer.json<InfoAnswer>();
    if (error) throw new JetStreamApiError(error);
    return { counts: new Map(Object.entries(state.subjects ?? {})), lastSequence: state.last_seq };
  }

  private async get(query: MsgRequest | NextMsgRequest): Promise<StreamMessage | undefined> {
    await whenConnected(this.nc);
    const subject = `$JS.API.STREAM.MSG.GET.${this.names.jobs}`;
    const answer = await this.pipe.request(subject, JSON.stringify(query), { timeoutMs: GET_MS });
    const { error, message } = answer.json<GetAnswer>();
    if (error?.err_code === JetStreamApiCodes.NoMessageFound) return undefined;
    if (error) throw new JetStreamApiError(error);
    return {
      subject: message.subject,
      sequence: message.seq,
      storedAt: new Date(message.time).toISOString(),
      data: Buffer.from(message.data ?? '', 'base64'),
      headers: message.hdrs === undefined ? undefined : decodeHeaders(Buffer.from(message.hdrs, 'base64')),
    };
  }

  private async getLast(subjects: string[]): Promise<Map<string, StreamMessage>> {
    const found = new Map<string, StreamMessage>();
    const messages = await this.jsm.direct.getLastMessagesFor(this.names.jobs, { multi_last: subjects });
    for await (const message of messages) found.set(message.subject, toStreamMessage(message));
    return found;
  }

  private async getEach(subjects: string[]): Promise<StreamMessage[]> {
    const found = await Promise.all(
      subjects.map((subject) => this.jsm.direct.getMessage(this.names.jobs, { last_by_subj: subject })),
    );
    return found.flatMap((message) => (message ? [toStreamMessage(message)] : []));
  }
}

function toStreamMessage(message: StoredMsg): StreamMessage {
  return {
    subject: message.subject,
    sequence: message.seq,
    storedAt: message.time.toISOString(),
    data: message.data,
    headers: message.header,
  };
}
