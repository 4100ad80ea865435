// Reads one heartbeat message: whose it is and what it says, or why it is passed over. An odd optional field costs that
// field, not the heartbeat (protocol: worker heartbeat).
import { isSubjectToken, JobId, WorkerHeartbeat } from '@trellis/contracts';
import { MAX_ACTIVE_JOBS } from '@trellis/store-postgres';

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
const { concurrency: Concurrency } = WorkerHeartbeat.shape;

const MAX_INSTANCE_ID = 256;
const MAX_VERSION = 200;
const INT_MAX = 2_147_483_647;
const utf8 = new TextDecoder('utf-8', { fatal: true });

const refused = (why: 'malformed' | 'mismatched', reason: string): ReadHeartbeat => ({ kind: 'refused', why, reason });

/** Never throws. */
export function readHeartbeat(subject: string, data: Uint8Array): ReadHeartbeat {
  const [, , , service = '', type = '', instanceId = ''] = subject.split('.');
  if (!isSubjectToken(service) || !isSubjectToken(type) || !isInstanceId(instanceId)) {
    return refused('malformed', 'subject: expected trellis.jobs.workers.<service>.<type>.<instanceId>.heartbeat');
  }
  let body: unknown;
  try {
    body = JSON.parse(utf8.decode(data));
  } catch (error) {
    return refused('malformed', error instanceof Error ? error.message : String(error));
  }
  const identity = Identity.safeParse(body);
  if (!identity.success) {
    const issue = identity.error.issues[0];
    return refused('malformed', `${issue?.path.join('.') || 'body'}: ${issue?.message}`);
  }
  const said = identity.data;
  if (said.service !== service || said.jobType !== type || said.instanceId !== instanceId) {
    return refused('mismatched', `the body says ${said.service}/${said.jobType}/${said.instanceId}`);
  }
  return {
    kind: 'heartbeat',
    heartbeat: { service, type, instanceId, ...readDetails(body as Record<string, unknown>) },
  };
}

const isInstanceId = (text: string): boolean => text.length <= MAX_INSTANCE_ID && /^[\x21-\x7e]+$/.test(text);

function readDetails({ concurrency, version, activeJobs }: Record<string, unknown>) {
  const ids = Array.isArray(activeJobs) ? activeJobs.filter((id) => JobId.safeParse(id).success) : undefined;
  const slots = Concurrency.safeParse(concurrency).data;
  return {
    concurrency: slots !== undefined && slots <= INT_MAX ? slots : undefined,
    version: typeof version === 'string' ? storable(version) : undefined,
    activeJobs: ids?.slice(0, MAX_ACTIVE_JOBS),
    activeJobCount: ids?.length,
  };
}

/** Text that Postgres takes, of bounded length. */
const storable = (text: string): string => text.slice(0, MAX_VERSION).toWellFormed().replaceAll('\u0000', '\uFFFD');
