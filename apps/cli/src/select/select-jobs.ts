// Finds the jobs that match a filter. All are read before the first is changed, so that the user confirms exactly these.
import type { JobsClient } from '@trellis/client';
import { type Job, type ListRequest, MAX_PAGE } from '@trellis/contracts';

export interface Selection {
  /** Oldest first, at most `limit`. */
  jobs: Job[];
  /** Number of all jobs that match. */
  count: number;
  /** True if more than `count` jobs match. */
  countAtLeast: boolean;
}

export type JobFilter = Omit<ListRequest, 'limit' | 'offset' | 'cursor' | 'order' | 'include'>;

/** Reads page after page, up to `limit` jobs. */
export async function selectJobs(client: JobsClient, filter: JobFilter, limit: number): Promise<Selection> {
  const jobs = new Map<string, Job>();
  let cursor: string | undefined;
  let first: Omit<Selection, 'jobs'> | undefined;
  do {
    const wanted = Math.min(MAX_PAGE, limit - jobs.size);
    const start = cursor === undefined ? { order: 'oldest' as const } : { cursor };
    const page = await client.rpc.jobs.list({ ...filter, ...start, limit: wanted });
    first ??= { count: page.count, countAtLeast: page.countAtLeast ?? false };
    for (const job of page.entries) jobs.set(job.id, job);
    cursor = page.nextCursor;
  } while (cursor !== undefined && jobs.size < limit);
  return { jobs: [...jobs.values()], ...first };
}
