// Public names of streams and subjects, and how a subject is built and read (docs/protocol.md#subjects).
import { z } from 'zod';
import { EVENT_TYPES, type EventType } from './state.ts';

const TOKEN = /^[A-Za-z0-9_-]+$/;
/** Longest job id that every store can index. */
export const MAX_JOB_ID_LENGTH = 512;

export const isSubjectToken = (text: string): boolean => TOKEN.test(text);

/** One token of a subject: letters, digits, `_` and `-`. */
const SubjectToken = z.string().regex(TOKEN, 'expected letters, digits, "_" and "-" only (a NATS subject token)');

/** A service's name: a subject token; `workers` is reserved for presence. */
export const ServiceName = SubjectToken.refine((name) => name !== 'workers', 'the service name "workers" is reserved');
export const JobType = SubjectToken;
export const JobId = SubjectToken.max(MAX_JOB_ID_LENGTH, `expected at most ${MAX_JOB_ID_LENGTH} characters`);

/** The same check as `JobId`, without the schema, which is slow to run for every job. */
export const isJobId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_JOB_ID_LENGTH && isSubjectToken(value);

/** Names of the streams; the defaults are the public ones. */
export const StreamNames = z.object({
  jobs: z.string().default('JOBS'),
  work: z.string().default('JOBS_WORK'),
  advisories: z.string().default('JOBS_ADVISORIES'),
  presence: z.string().default('JOBS_PRESENCE'),
});
export type StreamNames = z.infer<typeof StreamNames>;
export const DEFAULT_STREAM_NAMES: StreamNames = StreamNames.parse({});

export const RPC_PREFIX = 'rpc.v1.';

/** `trellis.jobs.<service>.<type>.<jobId>.<event>`; `*` stands for any. */
export const eventSubject = (service: string, type: string, jobId: string, event: EventType | '*'): string =>
  `trellis.jobs.${service}.${type}.${jobId}.${event}`;

/** Every event of one job, whoever owns it. */
export const jobIdFilter = (jobId: string): string => `trellis.jobs.*.*.${jobId}.*`;

/** Every event of one job of a known owner. */
export const jobFilter = (service: string, type: string, jobId: string): string =>
  `trellis.jobs.${service}.${type}.${jobId}.*`;

export const ALL_EVENTS_FILTER = 'trellis.jobs.*.*.*.*';
export const ALL_HEARTBEATS_FILTER = 'trellis.jobs.workers.*.*.*.heartbeat';

export const workSubject = (service: string, type: string): string => `trellis.work.${service}.${type}`;
export const heartbeatSubject = (service: string, type: string, instanceId: string): string =>
  `trellis.jobs.workers.${service}.${type}.${instanceId}.heartbeat`;
export const workConsumerName = (service: string, type: string): string => `${service}-${type}`;
export const maxDeliveriesAdvisoryFilter = (workStream: string): string =>
  `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${workStream}.>`;
/** KV bucket with the keyed-concurrency state of one service. */
export const keyBucketName = (service: string): string => `JOBS_KEYS_${service}`;

export interface EventSubject {
  service: string;
  jobType: string;
  jobId: string;
  eventType: string;
}

const KNOWN_EVENTS: ReadonlySet<string> = new Set(EVENT_TYPES);
export const isEventType = (text: string): text is EventType => KNOWN_EVENTS.has(text);

const DOT = 0x2e;
const EVENT_PREFIX = 'trellis.jobs.';
const EVENT_SUBJECT = /^trellis\.jobs\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/** The four tokens of a lifecycle event's subject, or undefined when it is not one (`eventType` is not checked). */
export function parseEventSubject(subject: string): EventSubject | undefined {
  const [, service, jobType, jobId, eventType] = EVENT_SUBJECT.exec(subject) ?? [];
  if (service === undefined || jobType === undefined || jobId === undefined || eventType === undefined)
    return undefined;
  return service === 'workers' ? undefined : { service, jobType, jobId, eventType };
}

/** Whether a lifecycle event's subject has these four tokens. Runs for each message, so it splits nothing. */
export function isSubjectOf(subject: string, service: string, type: string, jobId: string, event: string): boolean {
  const typeAt = EVENT_PREFIX.length + service.length + 1;
  const idAt = typeAt + type.length + 1;
  const eventAt = idAt + jobId.length + 1;
  return (
    subject.length === eventAt + event.length &&
    subject.startsWith(service, EVENT_PREFIX.length) &&
    subject.startsWith(type, typeAt) &&
    subject.startsWith(jobId, idAt) &&
    subject.endsWith(event) &&
    subject.charCodeAt(typeAt - 1) === DOT &&
    subject.charCodeAt(idAt - 1) === DOT &&
    subject.charCodeAt(eventAt - 1) === DOT &&
    // There are no more dots than those.
    EVENT_SUBJECT.test(subject) &&
    service !== 'workers'
  );
}
