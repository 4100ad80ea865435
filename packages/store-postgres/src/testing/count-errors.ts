// For tests that insert job rows directly: counts their error texts, as the projector does with each batch.
import type { Queryable } from '../connection/open-postgres.ts';

export async function countErrors(client: Queryable): Promise<void> {
  await client.query('delete from job_errors');
  await client.query(`insert into job_errors
    select md5(last_error)::uuid, lower(last_error), count(*) from jobs where last_error is not null group by last_error`);
}
