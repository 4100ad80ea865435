// For tests: a new migrated database with a CurrentStore that holds the lease.
import { freshPostgres } from '@trellis/test-support';
import { migratePostgres } from '../connection/migrate.ts';
import { openPostgres, type Postgres, type Row } from '../connection/open-postgres.ts';
import { type CommitOutcome, CurrentStore } from '../projection/current-store.ts';
import type { BatchCommit, JobChange } from '../projection/job-change.ts';
import type { Lease } from '../projection/pipeline-leases.ts';
import { planWrites } from '../projection/plan-writes.ts';
import { JobReader } from '../read/job-reader.ts';

export interface TestCurrentStore extends AsyncDisposable {
  postgres: Postgres;
  store: CurrentStore;
  lease: Lease;
  reader: JobReader;
  /** Commits at the checkpoint that earlier commits reached. */
  commit(changes: JobChange[], rest?: Partial<Omit<BatchCommit, 'changes'>>): Promise<CommitOutcome>;
  counts(): Promise<Record<string, number>>;
  rows(sql: string): Promise<Row[]>;
}

export const STREAM_CREATED = '2026-01-01T00:00:00.000Z';

export async function openTestCurrentStore(): Promise<TestCurrentStore> {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await freshPostgres());
  const postgres = stack.use(openPostgres({ url: database.url }));
  await migratePostgres(postgres);
  const store = new CurrentStore(postgres);
  const taken = await store.leases.acquire('test');
  if (!taken) throw new Error('the lease of a new database is not free');
  const lease = { ...taken, streamCreated: STREAM_CREATED };
  let position = 0;
  return {
    postgres,
    store,
    lease,
    reader: new JobReader(postgres),
    async commit(changes, rest = {}) {
      const batch = { from: position, to: position + 1, toStoredAt: undefined, quarantined: [], released: [] };
      const outcome = await store.commitBatch(lease, { ...batch, changes: planWrites(changes), ...rest });
      if (outcome.kind === 'committed') position = rest.to ?? position + 1;
      return outcome;
    },
    async counts() {
      const { rows } = await postgres.query<{ service: string; state: string; count: number }>(
        'select service, state, count from job_counts where count <> 0 order by 1, 2',
      );
      return Object.fromEntries(rows.map(({ service, state, count }) => [`${service} ${state}`, count]));
    },
    rows: async (sql) => (await postgres.query(sql)).rows,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export const newJob = (job: JobChange['job']): JobChange => ({ before: undefined, job, restarted: false, logs: [] });
export const changed = (before: JobChange['job'], fields: Partial<JobChange['job']>): JobChange => ({
  before,
  job: { ...before, lastSequence: before.lastSequence + 1, ...fields },
  restarted: false,
  logs: [],
});
