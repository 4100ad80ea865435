// Syncs the tickets of one origin, page by page. The made-up Zendesk answers slowly, and limits one origin's rate now and then.
import type { ActiveJob } from '@trellis/jobs';
import type { SyncRequest } from './queues.ts';

/** Zendesk does not answer now; it may later. */
class RateLimited extends Error {
  override readonly name = 'RateLimited';
}

export interface Zendesk {
  /** The number of tickets on a page; pages count from 1. @throws {RateLimited} */
  fetchPage(origin: string, page: number, signal: AbortSignal): Promise<number>;
  pagesOf(origin: string): number;
}

const LIMITED_ORIGIN = 'globex';
const TICKETS_PER_PAGE = 25;

/** @param pause resolves after so many milliseconds, or early when the signal aborts */
export function slowZendesk(pause: (ms: number, signal: AbortSignal) => Promise<void>): Zendesk {
  let calls = 0;
  return {
    pagesOf: (origin) => (origin === 'foo' ? 6 : 2),
    fetchPage: async (origin, page, signal) => {
      await pause(1_000, signal);
      if (origin === LIMITED_ORIGIN && ++calls % 5 === 0) throw new RateLimited('Zendesk: too many requests (429)');
      return TICKETS_PER_PAGE - page;
    },
  };
}

export const syncTickets = (zendesk: Zendesk) => async (job: ActiveJob<SyncRequest>) => {
  const { origin, requestedBy } = job.payload;
  const pages = zendesk.pagesOf(origin);
  await job.log('info', `syncing ${pages} pages of ${origin} for ${requestedBy}, attempt ${job.attempt}`);
  let tickets = 0;
  for (let page = 1; page <= pages; page++) {
    const stop = AbortSignal.any([job.signal, job.shutdown]);
    tickets += await zendesk.fetchPage(origin, page, stop);
    stop.throwIfAborted();
    await job.progress({ step: 'pages', current: page, total: pages });
  }
  await job.log('info', `${tickets} tickets synced`);
  return { tickets };
};
