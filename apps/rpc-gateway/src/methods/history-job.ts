// Jobs.History: the events of one job, each with the state after it, or the reason why it changed nothing.
import type { HistoryEntry, HistoryReply, StoredEvent } from '@trellis/contracts';
import { type FoldedJob, reduce } from '@trellis/lifecycle';
import { readEvents } from '../reads/read-events.ts';
import { jsonBytes } from '../rpc/fit-reply.ts';
import { defineMethod } from '../rpc/method.ts';

const DEFAULT_LIMIT = 1_000;
/** Room for the fields of a page beside its entries. */
const PAGE_FIELDS_BYTES = 2_048;
const BODIES = ['logs', 'result', 'payload'] as const;

export const historyJob = defineMethod({
  name: 'Jobs.History',
  async answer({ id, after = 0, limit = DEFAULT_LIMIT }, _call, ports): Promise<HistoryReply> {
    const { service, type, events, complete } = await readEvents(id, ports);
    const later = foldedEntries(events).filter(({ sequence }) => sequence > after);
    const entries = later.slice(0, limit);
    const reply: HistoryReply = { id, service, type, entries, complete };
    return later.length > entries.length ? continueAfter(reply) : reply;
  },
  fit: fitHistory,
});

/** The events of one job from its first on, each with what it came to. */
function foldedEntries(events: readonly StoredEvent[]): HistoryEntry[] {
  let job: FoldedJob | undefined;
  return events.map((stored) => {
    const { sequence, storedAt, event } = stored;
    const outcome = reduce(job, stored);
    if (outcome.kind === 'applied') job = outcome.job;
    const entry = { sequence, storedAt, event, state: job?.state ?? event.state };
    return outcome.kind === 'applied' ? entry : { ...entry, ignored: outcome.why };
  });
}

function continueAfter(reply: HistoryReply): HistoryReply {
  const last = reply.entries.at(-1);
  return last ? { ...reply, nextAfter: last.sequence } : reply;
}

/** The page with as many of its first entries as fit; at least one, without its bodies if it must be. */
function fitHistory(reply: HistoryReply, maxBytes: number): HistoryReply {
  const room = maxBytes - PAGE_FIELDS_BYTES;
  const entries: HistoryEntry[] = [];
  let bytes = 0;
  for (const entry of reply.entries) {
    const own = jsonBytes(entry) + 1;
    if (bytes + own > room) break;
    bytes += own;
    entries.push(entry);
  }
  const [first] = reply.entries;
  if (entries.length === 0 && first) entries.push(withoutBodies(first, room));
  return entries.length === reply.entries.length ? { ...reply, entries } : continueAfter({ ...reply, entries });
}

function withoutBodies(entry: HistoryEntry, maxBytes: number): HistoryEntry {
  let fitted = entry;
  for (const body of BODIES) {
    if (jsonBytes(fitted) <= maxBytes) return fitted;
    const { [body]: left, ...rest } = fitted.event;
    if (left === undefined) continue;
    // Every `created` has a payload.
    const event = body === 'payload' ? { ...rest, payload: { $omitted: jsonBytes(left) } } : rest;
    fitted = { ...fitted, event, omitted: [...(fitted.omitted ?? []), body] };
  }
  return fitted;
}
