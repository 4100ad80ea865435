// Checks every part of the system, each within a bounded time.
// What the answers mean together is methods/health.ts.
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { singleFlight, sleep } from '@trellis/async';
import { ALL_EVENTS_FILTER, Fault, type HealthCheck, PIPELINE_RECORD_KEY, PipelineRecord } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import { type JanitorDuty, type JobReader, type PipelinePosition, StoreUnavailable } from '@trellis/store-postgres';

export interface HealthProbesOptions {
  reader: JobReader;
  stream: JobStream;
  clickhouseUrl?: string | undefined;
  /** KV bucket in which the history pipeline keeps its position. */
  pipelinesBucket: string;
  degradedLagMs: number;
  quarantineRecentMs: number;
  /** Presence that is older than this tells nothing of now. */
  presenceFreshMs: number;
  /** A duty of the janitor may be due for so long. */
  janitorOverdueMs: number;
  /** A part that takes longer does not work; default 2,000. */
  timeoutMs?: number;
}

export interface HealthProbes {
  /** One check for each part; never rejects. */
  check(): Promise<HealthCheck[]>;
}

type Finding = Omit<HealthCheck, 'name'> & { status: HealthCheck['status'] };

/** Most problems of the janitor that are shown. */
const MAX_PROBLEMS = 10;

/** What this side needs of the record that the history pipeline keeps of itself. */
export function healthProbes(options: HealthProbesOptions): HealthProbes {
  const { reader, stream, clickhouseUrl, timeoutMs = 2_000 } = options;
  const probe = async (
    name: string,
    failed: HealthCheck['status'],
    run: () => Promise<Finding | undefined>,
  ): Promise<HealthCheck[]> => {
    try {
      const finding = await within(timeoutMs, run());
      return finding ? [{ name, ...finding }] : [];
    } catch (error) {
      return [{ name, status: failed, message: publicReason(error) }];
    }
  };
  return {
    // In an incident many callers ask at the same time, and each reply needs a dozen checks.
    check: singleFlight(async () => {
      const pipelines = askedOnce(() => reader.pipelines());
      const streamInfo = askedOnce(() => stream.info());
      const lagOf = (pipeline: Position | undefined) => pipelineFinding(pipeline, streamInfo, options);
      const checks = await Promise.all([
        probe('nats', 'unhealthy', async () => {
          const rtt = await stream.nc.rtt();
          const { messages, lastSequence } = await streamInfo();
          return { status: 'healthy', latencyMs: rtt, messages, lastSequence };
        }),
        probe('postgres', 'unhealthy', async () => {
          const started = performance.now();
          await reader.ping();
          return { status: 'healthy', latencyMs: since(started) };
        }),
        probe('clickhouse', 'degraded', async () => {
          if (clickhouseUrl === undefined) return undefined;
          const started = performance.now();
          await pingClickHouse(clickhouseUrl, timeoutMs);
          return { status: 'healthy', latencyMs: since(started) };
        }),
        probe('pipeline-current', 'degraded', async () => {
          const current = (await pipelines()).find((pipeline) => pipeline.name === 'current');
          return lagOf(current);
        }),
        probe('pipeline-history', 'degraded', async () => {
          const history = await historyPosition(options);
          if (history === undefined && clickhouseUrl === undefined) return undefined;
          return lagOf(history);
        }),
        probe('janitor', 'degraded', async () =>
          janitorFinding(await reader.janitorDuties(), options.janitorOverdueMs),
        ),
        probe('presence', 'degraded', async () => {
          const presence = (await pipelines()).find((pipeline) => pipeline.name === 'presence');
          return presenceFinding(presence, options.presenceFreshMs);
        }),
        probe('quarantine', 'degraded', async () => {
          const { size, recent } = await reader.quarantineSize(options.quarantineRecentMs);
          return recent === 0
            ? { status: 'healthy', size, recent }
            : { status: 'degraded', size, recent, message: `${recent} messages could not be projected lately` };
        }),
      ]);
      return checks.flat();
    }),
  };
}

interface Position {
  position: number;
  owned: boolean;
}

/** One question for all probes of a check that need its answer. */
function askedOnce<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}

async function pipelineFinding(
  pipeline: Position | undefined,
  streamInfo: () => ReturnType<JobStream['info']>,
  { stream, degradedLagMs }: HealthProbesOptions,
): Promise<Finding> {
  if (!pipeline) return { status: 'degraded', message: 'has not run yet' };
  const { position, owned } = pipeline;
  const { lastSequence } = await streamInfo();
  const lagEvents = Math.max(0, lastSequence - position);
  const waiting = lagEvents === 0 ? undefined : await stream.nextOf(ALL_EVENTS_FILTER, position + 1);
  const lagMs = waiting ? Math.max(0, Date.now() - Date.parse(waiting.storedAt)) : 0;
  const found = { position, lagEvents, lagSeconds: Math.round(lagMs / 100) / 10 };
  if (lagMs > degradedLagMs) return { status: 'degraded', ...found, message: 'is behind the stream' };
  if (!owned) return { status: 'degraded', ...found, message: 'nobody runs it now' };
  return { status: 'healthy', ...found };
}

/** The last passes of all duties of the janitor; the worst one decides. */
function janitorFinding(duties: JanitorDuty[], overdueMs: number): Finding {
  if (duties.length === 0) return { status: 'degraded', message: 'has not run yet' };
  const latest = (instants: (string | undefined)[]): string | undefined =>
    instants
      .filter((instant) => instant !== undefined)
      .sort()
      .at(-1);
  const lastPassAt = latest(duties.map(({ finishedAt }) => finishedAt));
  const problems = duties.flatMap(({ duty, problems }) =>
    problems.map(({ code, message }) => ({ duty, code, message })),
  );
  const found = {
    duties: duties.length,
    ...(lastPassAt === undefined ? {} : { lastPassAt }),
    ...(problems.length === 0 ? {} : { problems: problems.slice(0, MAX_PROBLEMS) }),
  };
  const overdue = duties.filter((duty) => duty.overdueMs > overdueMs);
  if (overdue.length > 0) {
    const longest = Math.max(...overdue.map((duty) => duty.overdueMs));
    const message = `nobody does ${namesOf(overdue)}, due for ${Math.round(longest / 1_000)} s`;
    return { status: 'degraded', ...found, message };
  }
  const failed = duties.filter(({ error }) => error !== undefined);
  // The reason is in the janitor's log: its texts are not written for callers.
  if (failed.length > 0) return { status: 'degraded', ...found, message: `the last pass of ${namesOf(failed)} failed` };
  const [problem] = problems;
  if (problem) {
    const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    return { status: 'degraded', ...found, message: `${problem.duty}: ${problem.message}${others}` };
  }
  return { status: 'healthy', ...found };
}

const namesOf = (duties: JanitorDuty[]): string => duties.map(({ duty }) => duty).join(', ');

function presenceFinding(presence: PipelinePosition | undefined, freshMs: number): Finding {
  if (presence?.storedMsAgo === undefined) return { status: 'degraded', message: 'has not run yet' };
  const ageMs = Math.max(0, Math.round(presence.storedMsAgo));
  const found = { asOf: presence.storedAt, ageMs };
  if (!presence.owned) return { status: 'degraded', ...found, message: 'nobody keeps it now' };
  if (ageMs > freshMs) return { status: 'degraded', ...found, message: 'is not up to date' };
  return { status: 'healthy', ...found };
}

async function historyPosition({ stream, pipelinesBucket }: HealthProbesOptions): Promise<Position | undefined> {
  const subject = `$KV.${pipelinesBucket}.${PIPELINE_RECORD_KEY}`;
  const entry = await stream.jsm.streams
    .getMessage(`KV_${pipelinesBucket}`, { last_by_subj: subject })
    .catch((error) => {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null;
      throw error;
    });
  if (!entry) return undefined;
  const record = PipelineRecord.safeParse(entry.json());
  if (!record.success) throw new Fault('unexpected', 'its record cannot be read');
  const { position, leaseUntil } = record.data;
  return { position, owned: Date.parse(leaseUntil) > Date.now() };
}

async function pingClickHouse(url: string, timeoutMs: number): Promise<void> {
  const response = await fetch(new URL('/ping', url.replace(/\/\/[^@/]*@/, '//')), {
    signal: AbortSignal.timeout(timeoutMs),
    headers: { connection: 'close' },
  });
  await response.text();
  if (!response.ok) throw new Fault('unavailable', `answers with HTTP ${response.status}`);
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = sleep(timeoutMs, timer.signal).then(() => {
    throw new Fault('unavailable', `no answer within ${timeoutMs} ms`);
  });
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    work.catch(() => undefined);
  }
}

/** Only what was written for callers is shown to them. */
const publicReason = (error: unknown): string =>
  error instanceof Fault || error instanceof StoreUnavailable ? error.message : 'does not answer';

const since = (started: number): number => Math.round((performance.now() - started) * 10) / 10;
