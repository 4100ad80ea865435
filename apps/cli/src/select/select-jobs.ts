// Finds the jobs that a filter matches, before anything is done to them: what is acted on is what was shown.
import type { JobsClient } from '@trellis/client';
import { type Job, type ListRequest, MAX_PAGE } from '@trellis/contracts';

export interface Selection {
  /** The oldest first, at most as many as were asked for. */
  jobs: Job[];
  /** All that match. */
  count: number;
  /** There are more than `count`. */
  countAtLeast: boolean;
}

export type JobFilter = Omit<ListRequest, 'limit' | 'offset' | 'cursor' | 'order' | 'include'>;

/** Every page is read to its end before the first job is touched. */
export async function selectJobs(client: JobsClient, filter: JobFilter, limit: number): Promise<Selection> {
  const jobs = new Map<string, Job>();
  let cursor: string | undefined;
  let first: Omit<Selection, 'jobs'> | undefined;
  do {
    const wanted = Math.min(MAX_PAGE, limit - jobs.size);
    const place = cursor === undefined ? { order: 'oldest' as const } : { cursor };
    const page = await client.rpc.jobs.list({ ...filter, ...place, limit: wanted });
    first ??= { count: page.count, countAtLeast: page.countAtLeast ?? false };
    for (const job of page.entries) jobs.set(job.id, job);
    cursor = page.nextCursor;
  } while (cursor !== undefined && jobs.size < limit);
  return { jobs: [...jobs.values()], ...first };
}
