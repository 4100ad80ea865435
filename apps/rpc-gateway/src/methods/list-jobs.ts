// Jobs.List: one page of jobs and how many match.
import type { Job, ListReply, ListRequest } from '@trellis/contracts';
import { toWireJob } from '@trellis/lifecycle';
import type { Bodies, JobFilter, JobReader, PagePlace, ReadJob } from '@trellis/store-postgres';
import { type Cursor, decodeCursor, encodeCursor } from '../reads/list-cursor.ts';
import { linkedJobs, shownJob } from '../reads/shown-job.ts';
import { fitJob, jsonBytes } from '../rpc/fit-reply.ts';
import { defineMethod, ReplyText } from '../rpc/method.ts';
import { invalid } from '../rpc/read-request.ts';

/** Jobs read at once with their bodies, each of which may be as large as a message. */
const ROWS_WITH_BODIES = 20;
/** Room for the fields of a page beside its entries. */
const PAGE_FIELDS_BYTES = 2_048;

export const listJobs = defineMethod({
  name: 'Jobs.List',
  async answer(request: ListRequest, call, { reader, settings }): Promise<ListReply | ReplyText> {
    const start = readStart(request);
    const wanted = { order: start.order, limit: request.limit, offset: request.offset ?? 0, after: start.after };
    const { traceUrlTemplate } = settings;
    if (request.include?.length) {
      const { places, more, ...page } = await reader.page(filterOf(request), wanted);
      const { jobs, read } = await readBodies(reader, places, request, call.maxReplyBytes);
      const entries = jobs.map((job) => shownJob(job, traceUrlTemplate));
      // `read` falls short of the page when bodies had filled the reply before.
      const last = more || read < places.length ? places[read - 1] : undefined;
      return { entries, ...describePage(page, start, request, read, last) };
    }
    const page = await reader.shownPage(filterOf(request), wanted);
    const described = JSON.stringify(describePage(page, start, request, page.read, page.last));
    return new ReplyText(`{"entries":[${linkedJobs(page.jobs, traceUrlTemplate)}],${described.slice(1)}`);
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

type PageFields = Pick<ListReply, 'count' | 'countAtLeast' | 'offset' | 'limit' | 'nextOffset' | 'nextCursor'>;

/** What a page says of itself. */
function describePage(
  { count, countAtLeast }: { count: number; countAtLeast: boolean },
  start: Start,
  { limit }: ListRequest,
  read: number,
  last: PagePlace | undefined,
): PageFields {
  const fields: PageFields = { count, offset: start.passed, limit, ...(countAtLeast ? { countAtLeast } : {}) };
  return { ...fields, ...nextPage(fields.offset + read, last, start.order) };
}

/** The jobs with bodies, as many as `maxBytes` can hold: bodies that would be left out are not read. */
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

/** Where the next page begins; nothing without a last job. */
function nextPage(passed: number, last: PagePlace | undefined, order: Cursor['order']) {
  if (!last) return {};
  const { createdAt, id } = last;
  return { nextOffset: passed, nextCursor: encodeCursor({ order, createdAt, id, passed }) };
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
  const { order } = readStart(request);
  return { ...reply, entries, ...nextPage(reply.offset + entries.length, entries.at(-1), order) };
}
