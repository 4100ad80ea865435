// Jobs.ListServices: who works, who has gone, and whose jobs wait for nobody. Presence is for people: no job's fate hangs
// on it.
import type { ListServicesReply, ListServicesRequest, ServiceEntry } from '@trellis/contracts';
import type { ServicePresence, WorkerPresence } from '@trellis/store-postgres';
import { jsonBytes } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

/** Room for the fields of a page beside its entries. */
const PAGE_FIELDS_BYTES = 512;

export const listServices = defineMethod({
  name: 'Jobs.ListServices',
  async answer({ offset = 0, limit }: ListServicesRequest, _call, { presence, reader }): Promise<ListServicesReply> {
    const [{ services, total }, pipelines] = await Promise.all([
      presence.services({ offset, limit }),
      reader.pipelines(),
    ]);
    const asOf = pipelines.find(({ name }) => name === 'presence')?.storedAt;
    const reply: ListServicesReply = { entries: services.map(toEntry), count: total, offset, limit };
    // A worker that was silent since then may only not have been heard.
    if (asOf !== undefined) reply.presenceAsOf = asOf;
    return withNext(reply);
  },
  fit: fitServices,
});

/**
 * A service is healthy while at least one of its workers lives. One without any worker is listed for as long as it has
 * open jobs, and is not healthy: nobody is there for them.
 */
function toEntry(service: ServicePresence): ServiceEntry {
  const { name, counts, openJobs, lastSeenAt, workers } = service;
  return {
    name,
    healthy: counts.live > 0,
    ...(lastSeenAt === undefined ? {} : { lastSeenAt }),
    openJobs,
    workerCounts: counts,
    workers: workers.map(toWorker),
  };
}

function toWorker(worker: WorkerPresence): ServiceEntry['workers'][number] {
  const { type, lastSeenAt, concurrency, version, activeJobs, activeJobCount, ...rest } = worker;
  return {
    ...rest,
    jobType: type,
    timestamp: lastSeenAt,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(version === undefined ? {} : { version }),
    ...(activeJobs === undefined ? {} : { activeJobs: [...activeJobs] }),
    ...(activeJobCount === undefined ? {} : { activeJobCount }),
  };
}

function withNext(reply: ListServicesReply): ListServicesReply {
  const end = reply.offset + reply.entries.length;
  return reply.entries.length > 0 && end < reply.count ? { ...reply, nextOffset: end } : reply;
}

/** Without what workers work on, then with fewer services, then with fewer workers of the first. */
function fitServices(reply: ListServicesReply, maxBytes: number): ListServicesReply {
  const room = maxBytes - PAGE_FIELDS_BYTES;
  const entries: ServiceEntry[] = [];
  let bytes = 0;
  for (const entry of reply.entries.map(withoutActiveJobs)) {
    const own = jsonBytes(entry) + 1;
    if (bytes + own > room) break;
    bytes += own;
    entries.push(entry);
  }
  const [first] = reply.entries;
  if (entries.length === 0 && first) entries.push(withFewerWorkers(withoutActiveJobs(first), room));
  return withNext({ ...reply, entries });
}

const withoutActiveJobs = (entry: ServiceEntry): ServiceEntry => ({
  ...entry,
  workers: entry.workers.map(({ activeJobs: _left, ...worker }) => worker as ServiceEntry['workers'][number]),
});

function withFewerWorkers(entry: ServiceEntry, room: number): ServiceEntry {
  const workers: ServiceEntry['workers'] = [];
  let bytes = jsonBytes({ ...entry, workers });
  for (const worker of entry.workers) {
    bytes += jsonBytes(worker) + 1;
    if (bytes > room) break;
    workers.push(worker);
  }
  return { ...entry, workers };
}
