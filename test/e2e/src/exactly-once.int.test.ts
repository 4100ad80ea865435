import { createClient } from '@clickhouse/client';
import { JobStream } from '@trellis/nats';
import { waitFor } from '@trellis/test-support';
import pg from 'pg';
import { expect, it } from 'vitest';
import { type ComponentProcess, startComponent } from './component-process.ts';
import { foldStream } from './fold-stream.ts';
import { generateLoad } from './generate-load.ts';
import { startServers } from './start-servers.ts';

const JOBS = 20_000;
const KILLS = 5;

it('two projectors, killed five times while 20,000 jobs run: Postgres equals the fold, history holds every sequence once', {
  timeout: 420_000,
}, async () => {
  await using servers = await startServers();
  const { nc, env, clickhouse } = servers;
  const projectors: ComponentProcess[] = await Promise.all([
    startComponent('projector', env),
    startComponent('projector', env),
  ]);

  const killAt = Array.from({ length: KILLS }, (_, kill) => Math.floor((JOBS * 3 * (kill + 1)) / (KILLS + 1)));
  const kills: Promise<void>[] = [];
  const killOne = async (victim: number) => {
    await projectors[victim]?.end('SIGKILL');
    projectors[victim] = await startComponent('projector', env, { waitUntilReady: false });
  };
  const { malformed } = await generateLoad(nc, {
    jobs: JOBS,
    malformedEvery: 500,
    onStored: (stored) => {
      if (stored === killAt[kills.length]) kills.push(killOne(kills.length % 2));
    },
  });
  await Promise.all(kills);
  expect(kills).toHaveLength(KILLS);

  const folded = await foldStream(nc);
  expect(folded.malformed).toHaveLength(malformed);
  const lastSequence = (await (await JobStream.open(nc)).info()).lastSequence;

  const pool = new pg.Pool({ connectionString: servers.postgresUrl });
  pool.on('error', () => undefined);
  const rows = async <Row>(sql: string) => (await pool.query(sql)).rows as Row[];
  await waitFor(
    async () =>
      Number(
        (await rows<{ position: string }>(`select position from trellis_jobs.pipelines where name = 'current'`))[0]
          ?.position,
      ) >= lastSequence,
    { timeoutMs: 120_000, what: 'Postgres to catch up' },
  );
  const jobs = await rows<{
    id: string;
    state: string;
    tries: number;
    last_sequence: string;
    last_error: string | null;
  }>('select id, state, tries, last_sequence, last_error from trellis_jobs.jobs');
  const projected = new Map(
    jobs.map((job) => [job.id, [job.state, job.tries, Number(job.last_sequence), job.last_error]]),
  );
  const expected = new Map(
    [...folded.jobs.values()].map((job) => [job.id, [job.state, job.tries, job.lastSequence, job.lastError ?? null]]),
  );
  expect(projected).toEqual(expected);
  expect(projected.size).toBe(JOBS);
  expect(
    await rows(`select service, type, state, count from trellis_jobs.job_counts where count <> 0
                except select service, type, state, count(*) from trellis_jobs.jobs group by 1, 2, 3`),
  ).toEqual([]);
  const errors = await rows<{ lowered: string; count: string }>('select lowered, count from trellis_jobs.job_errors');
  const failed = Map.groupBy(
    jobs.flatMap(({ last_error }) => last_error ?? []),
    (error) => error,
  );
  expect(new Map(errors.map(({ lowered, count }) => [lowered, Number(count)]))).toEqual(
    new Map([...failed].map(([error, { length }]) => [error.toLowerCase(), length])),
  );
  const lines = await rows<{ count: string }>('select count(*) from trellis_jobs.job_logs');
  expect(Number(lines[0]?.count)).toBe([...folded.jobs.values()].reduce((sum, job) => sum + job.logs.length, 0));
  const quarantined = await rows<{ sequence: string }>(
    'select sequence from trellis_jobs.quarantine order by sequence',
  );
  expect(quarantined.map(({ sequence }) => Number(sequence))).toEqual(folded.malformed);

  await using history = createClient({ url: clickhouse.url, database: clickhouse.database });
  const sequences = async (view: string) =>
    (
      await (
        await history.query({
          query: `select stream_sequence from ${view} order by stream_sequence`,
          format: 'JSONCompactEachRow',
        })
      ).json<[string | number]>()
    ).map(([sequence]) => Number(sequence));
  await waitFor(async () => (await sequences('events')).length + malformed >= folded.sequences.length, {
    timeoutMs: 120_000,
    everyMs: 250,
    what: 'ClickHouse to catch up',
  });
  const events = await sequences('events');
  const refused = await sequences('quarantine');
  expect(refused).toEqual(folded.malformed);
  expect([...events, ...refused].sort((a, b) => a - b)).toEqual(folded.sequences);

  await pool.end();
  await Promise.all(projectors.map((projector) => projector.end()));
});
