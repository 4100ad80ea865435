// Jobs.List: one page of jobs and how many match.
import type { Job, ListReply, ListRequest } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import type { Bodies, JobFilter, JobReader, PagePlace } from '@trellis/store-postgres';
import { fitJob, jsonBytes } from '../fit-reply.ts';
import { type Cursor, decodeCursor, encodeCursor } from '../list-cursor.ts';
import { markLostWorkers } from '../mark-lost-workers.ts';
import { defineMethod } from '../method.ts';
import { invalid } from '../read-request.ts';
import { withTraceLink } from '../trace-link.ts';

/** Jobs read at once with their bodies, each of which may be as large as a message. */
const ROWS_WITH_BODIES = 20;
/** Room for the fields of a page beside its entries. */
const PAGE_FIELDS_BYTES = 2_048;

export const listJobs = defineMethod({
  name: 'Jobs.List',
  async answer(request: ListRequest, call, { reader, presence, settings }) {
    const start = readStart(request);
    const { places, more, count, countAtLeast } = await reader.page(filterOf(request), {
      order: start.order,
      limit: request.limit,
      offset: request.offset ?? 0,
      after: start.after,
    });
    const { entries: jobs, read } = await readEntries(reader, places, request, call.maxReplyBytes);
    const marked = await markLostWorkers(jobs, presence);
    const entries = marked.map((job) => withTraceLink(job, settings.traceUrlTemplate));
    const reply: ListReply = { entries, count, offset: start.passed, limit: request.limit };
    if (countAtLeast) reply.countAtLeast = true;
    // `read` falls short of the page when bodies had filled the reply before.
    const last = places[read - 1];
    return more || read < places.length ? continueAfter(reply, last, read, start.order) : reply;
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

/** The entries of the places, as many as `maxBytes` can hold: bodies that nobody would see are not read. */
async function readEntries(
  reader: JobReader,
  places: PagePlace[],
  { include = [], state }: ListRequest,
  maxBytes: number,
): Promise<{ entries: Job[]; read: number }> {
  const bodies: Bodies = Object.fromEntries(include.map((body) => [body, true]));
  const atOnce = include.length === 0 ? places.length : ROWS_WITH_BODIES;
  const entries: Job[] = [];
  let read = 0;
  for (let bytes = 0; read < places.length && bytes <= maxBytes; ) {
    const ids = places.slice(read, read + atOnce).map((place) => place.id);
    const jobs = await reader.getJobs(ids, bodies, state);
    for (const job of jobs) entries.push(toWireJob(job));
    read += ids.length;
    if (read < places.length) bytes += jsonBytes(entries.slice(-jobs.length));
  }
  return { entries, read };
}

function continueAfter(
  reply: ListReply,
  last: PagePlace | undefined,
  passed: number,
  order: Cursor['order'],
): ListReply {
  const nextOffset = reply.offset + passed;
  if (!last) return reply;
  return { ...reply, nextOffset, nextCursor: encodeCursor({ order, ...last, passed: nextOffset }) };
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
  const last = entries.at(-1);
  const place = last && { id: last.id, createdAt: last.createdAt };
  return continueAfter({ ...reply, entries }, place, entries.length, readStart(request).order);
}
