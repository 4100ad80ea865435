// Reads one heartbeat message: whose it is and what it says, or why it is skipped. An odd optional field costs that
// field, not the heartbeat (docs/protocol.md#heartbeats).
import { heartbeatSubject, isJobId, isSubjectToken, readInstant, WorkerHeartbeat } from '@trellis/contracts';
import { MAX_ACTIVE_JOBS } from '@trellis/store-postgres';
import type { z } from 'zod';

export interface Heartbeat {
  service: string;
  type: string;
  instanceId: string;
  concurrency: number | undefined;
  version: string | undefined;
  /** Ids, at most MAX_ACTIVE_JOBS. */
  activeJobs: string[] | undefined;
  /** How many they are in all. */
  activeJobCount: number | undefined;
}

export type ReadHeartbeat =
  | { kind: 'heartbeat'; heartbeat: Heartbeat }
  | { kind: 'refused'; why: 'malformed' | 'mismatched'; reason: string };

const Identity = WorkerHeartbeat.pick({ service: true, jobType: true, instanceId: true, timestamp: true });
type Identity = z.infer<typeof Identity>;

const MAX_INSTANCE_ID = 256;
const MAX_VERSION = 200;
const INT_MAX = 2_147_483_647;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const refused = (why: 'malformed' | 'mismatched', reason: string): ReadHeartbeat => ({ kind: 'refused', why, reason });

/** Never throws. */
export function readHeartbeat(subject: string, data: Uint8Array): ReadHeartbeat {
  let body: unknown;
  try {
    body = JSON.parse(utf8.decode(data));
  } catch (error) {
    return refused('malformed', error instanceof Error ? error.message : String(error));
  }
  if (!isUsual(subject, body)) return explain(subject, body);
  const { service, jobType: type, instanceId } = body;
  return { kind: 'heartbeat', heartbeat: { service, type, instanceId, ...readDetails(body) } };
}

/** The short way: thousands come in a second, and nearly all of them are right. */
function isUsual(subject: string, body: unknown): body is Identity {
  if (typeof body !== 'object' || body === null) return false;
  const { service, jobType, instanceId, timestamp } = body as Partial<Record<keyof Identity, unknown>>;
  if (typeof service !== 'string' || typeof jobType !== 'string' || typeof instanceId !== 'string') return false;
  if (!isSubjectToken(service) || !isSubjectToken(jobType) || !isInstanceId(instanceId)) return false;
  if (heartbeatSubject(service, jobType, instanceId) !== subject) return false;
  return typeof timestamp === 'string' && readInstant(timestamp) !== undefined;
}

function explain(subject: string, body: unknown): ReadHeartbeat {
  const [, , , service = '', type = '', instanceId = ''] = subject.split('.');
  if (!isSubjectToken(service) || !isSubjectToken(type) || !isInstanceId(instanceId)) {
    return refused('malformed', 'subject: expected trellis.jobs.workers.<service>.<type>.<instanceId>.heartbeat');
  }
  const identity = Identity.safeParse(body);
  if (!identity.success) {
    const issue = identity.error.issues[0];
    return refused('malformed', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
  }
  const said = identity.data;
  return refused('mismatched', `the body says ${said.service}/${said.jobType}/${said.instanceId}`);
}

/** One token of a subject, of letters that Postgres takes. */
const isInstanceId = (text: string): boolean => text.length <= MAX_INSTANCE_ID && /^[\x21-\x2d\x2f-\x7e]+$/.test(text);

function readDetails({ concurrency, version, activeJobs }: Record<string, unknown>) {
  const ids = Array.isArray(activeJobs) ? activeJobs.filter(isJobId) : undefined;
  return {
    concurrency: isCount(concurrency) ? concurrency : undefined,
    version: typeof version === 'string' ? storable(version) : undefined,
    activeJobs: ids?.slice(0, MAX_ACTIVE_JOBS),
    activeJobCount: ids?.length,
  };
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= INT_MAX;

/** Text that Postgres takes, of bounded length. */
const storable = (text: string): string => text.slice(0, MAX_VERSION).toWellFormed().replaceAll('\u0000', '\uFFFD');
