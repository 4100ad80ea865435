// Jobs.List: one page of jobs and how many match.
import type { Job, ListReply, ListRequest } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import type { Bodies, JobFilter, JobReader, PagePlace, PageWanted, ReadJob } from '@trellis/store-postgres';
import { fitJob, jsonBytes } from '../fit-reply.ts';
import { type Cursor, decodeCursor, encodeCursor } from '../list-cursor.ts';
import { defineMethod } from '../method.ts';
import { invalid } from '../read-request.ts';
import { shownJob } from '../shown-job.ts';

/** Jobs read at once with their bodies, each of which may be as large as a message. */
const ROWS_WITH_BODIES = 20;
/** Room for the fields of a page beside its entries. */
const PAGE_FIELDS_BYTES = 2_048;

export const listJobs = defineMethod({
  name: 'Jobs.List',
  async answer(request: ListRequest, call, { reader, settings }) {
    const start = readStart(request);
    const wanted = { order: start.order, limit: request.limit, offset: request.offset ?? 0, after: start.after };
    const page = await readPage(reader, request, wanted, call.maxReplyBytes);
    const entries = page.jobs.map((job) => shownJob(job, settings.traceUrlTemplate));
    const reply: ListReply = { entries, count: page.count, offset: start.passed, limit: request.limit };
    if (page.countAtLeast) reply.countAtLeast = true;
    return page.more ? continueAfter(reply, page.last, page.read, start.order) : reply;
  },
  fit: fitPage,
});

function filterOf(request: ListRequest): JobFilter {
  const { service, type, state, since, until, traceId, requestId, key, search } = request;
  return { service, type, states: state, since, until, traceId, requestId, key, search };
}

interface Start {
  order: Cursor['order'];
  after: PagePlace | undefined;
  /** Entries before this page. */
  passed: number;
}

function readStart({ cursor, offset, order }: ListRequest): Start {
  if (cursor === undefined) return { order: order ?? 'newest', after: undefined, passed: offset ?? 0 };
  if (offset !== undefined) {
    throw invalid([{ field: 'cursor', message: 'expected either a cursor or an offset, not both' }]);
  }
  const place = decodeCursor(cursor);
  if (!place) throw invalid([{ field: 'cursor', message: 'expected the nextCursor of an earlier page' }]);
  if (order !== undefined && order !== place.order) {
    throw invalid([
      { field: 'order', message: `expected ${place.order}, the order of the page that the cursor is of` },
    ]);
  }
  return { order: place.order, after: { createdAt: place.createdAt, id: place.id }, passed: place.passed };
}

interface ReadPage {
  jobs: ReadJob[];
  count: number;
  countAtLeast: boolean;
  /** More jobs follow the last one that was read. */
  more: boolean;
  last: PagePlace | undefined;
  /** How many were read; some of them may be gone since. */
  read: number;
}

async function readPage(
  reader: JobReader,
  request: ListRequest,
  wanted: PageWanted,
  maxBytes: number,
): Promise<ReadPage> {
  const filter = filterOf(request);
  if (request.include?.length) {
    const { places, ...page } = await reader.page(filter, wanted);
    const { jobs, read } = await readBodies(reader, places, request, maxBytes);
    // `read` falls short of the page when bodies had filled the reply before.
    return { ...page, jobs, read, more: page.more || read < places.length, last: places[read - 1] };
  }
  const page = await reader.list(filter, wanted);
  return { ...page, read: page.jobs.length, last: page.jobs.at(-1) };
}

/** The jobs of the places with bodies, as many as `maxBytes` can hold: bodies that nobody would see are not read. */
async function readBodies(
  reader: JobReader,
  places: PagePlace[],
  { include = [], state }: ListRequest,
  maxBytes: number,
): Promise<{ jobs: ReadJob[]; read: number }> {
  const bodies: Bodies = Object.fromEntries(include.map((body) => [body, true]));
  const jobs: ReadJob[] = [];
  let read = 0;
  for (let bytes = 0; read < places.length && bytes <= maxBytes; ) {
    const ids = places.slice(read, read + ROWS_WITH_BODIES).map((place) => place.id);
    const some = await reader.getJobs(ids, bodies, state);
    jobs.push(...some);
    read += ids.length;
    if (read < places.length) bytes += jsonBytes(some.map(toWireJob));
  }
  return { jobs, read };
}

function continueAfter(
  reply: ListReply,
  last: PagePlace | undefined,
  passed: number,
  order: Cursor['order'],
): ListReply {
  const nextOffset = reply.offset + passed;
  if (!last) return reply;
  const { createdAt, id } = last;
  return { ...reply, nextOffset, nextCursor: encodeCursor({ order, createdAt, id, passed: nextOffset }) };
}

/** The page with as many of its first entries as fit; at least one, without its bodies if it must be. */
function fitPage(reply: ListReply, maxBytes: number, request: ListRequest): ListReply {
  const room = maxBytes - PAGE_FIELDS_BYTES;
  const entries: Job[] = [];
  let bytes = 0;
  for (const entry of reply.entries) {
    const own = jsonBytes(entry) + 1;
    if (bytes + own > room) break;
    bytes += own;
    entries.push(entry);
  }
  const [first] = reply.entries;
  if (entries.length === 0 && first) entries.push(fitJob(first, room));
  if (entries.length === reply.entries.length) return { ...reply, entries };
  return continueAfter({ ...reply, entries }, entries.at(-1), entries.length, readStart(request).order);
}
