// Every event of a job: from the stream, and from the history in ClickHouse what the stream no longer holds.
import { Fault, type StoredEvent } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import type { HistoryReader, JobAddress } from '@trellis/store-clickhouse';
import type { JobReader } from '@trellis/store-postgres';
import { notFound } from '../commands/job-command.ts';

export interface JobEvents extends JobAddress {
  /** In stream order; without slot tokens. */
  events: StoredEvent[];
  /** The first events are among them. */
  complete: boolean;
}

export interface EventSources {
  stream: Pick<JobStream, 'readJob'>;
  reader: Pick<JobReader, 'getJobHead'>;
  /** Undefined: no history is configured. */
  history: Pick<HistoryReader, 'readJob' | 'findOwner'> | undefined;
}

const PAGE = 1_000;
/** Enough for a job that reported progress every second for hours. */
const MAX_FROM_HISTORY = 20_000;

/** @throws {Fault} not-found; unavailable, when only the history could know the job and does not answer */
export async function readEvents(id: string, { stream, reader, history }: EventSources): Promise<JobEvents> {
  const { job, events } = await stream.readJob(id);
  const own = job ? events.filter(({ event }) => event.service === job.service && event.jobType === job.type) : [];
  if (job && !job.headMissing) return { ...addressOf(job), events: own.map(withoutToken), complete: true };

  const owner = job ?? (await reader.getJobHead(id));
  const older = await readHistory(id, owner, history).catch((error: unknown) => {
    // What the stream holds is worth showing without its beginning.
    if (job) return undefined;
    throw new Fault('unavailable', 'the history does not answer now', { jobId: id }, { cause: error });
  });
  const address = owner ?? older;
  if (!address) throw notFound(id);
  const first = own[0]?.sequence ?? Number.POSITIVE_INFINITY;
  const merged = [...(older?.events ?? []).filter(({ sequence }) => sequence < first), ...own];
  return {
    ...addressOf({ id, service: address.service, type: address.type }),
    events: merged.map(withoutToken),
    complete: merged[0]?.event.eventType === 'created',
  };
}

const addressOf = ({ id, service, type }: JobAddress): JobAddress => ({ id, service, type });

async function readHistory(
  id: string,
  known: { service: string; type: string } | undefined,
  history: EventSources['history'],
): Promise<{ service: string; type: string; events: StoredEvent[] } | undefined> {
  const owner = known ?? (await history?.findOwner(id));
  if (!history || !owner) return undefined;
  const { service, type } = owner;
  const events: StoredEvent[] = [];
  for (let after = 0; events.length < MAX_FROM_HISTORY; ) {
    const page = await history.readJob({ service, type, id }, { after, limit: PAGE });
    events.push(...page);
    const last = page.at(-1);
    if (!last || page.length < PAGE) break;
    after = last.sequence;
  }
  return { service, type, events };
}

/** The slot token stays secret: with it a caller could end another worker's attempt. */
function withoutToken(stored: StoredEvent): StoredEvent {
  const { concurrency } = stored.event;
  if (concurrency?.slotToken === undefined) return stored;
  const { slotToken: _secret, ...shown } = concurrency;
  return { ...stored, event: { ...stored.event, concurrency: shown } };
}
