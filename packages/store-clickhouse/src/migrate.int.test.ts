import { readFileSync } from 'node:fs';
import { freshClickHouse } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { JournalStore } from './journal-store.ts';
import { migrateClickHouse, pendingMigrations } from './migrate.ts';
import { type ClickHouse, openClickHouse } from './open-clickhouse.ts';
import { generatedHistory } from './testing/generated-history.ts';
import { expectedViews, firstDifferences, HistoryBench } from './testing/history-bench.ts';

/** A database as left by versions without this migration. */
async function migrateTo(end: string, clickhouse: ClickHouse): Promise<void> {
  const { client } = clickhouse;
  const folder = new URL('../migrations/', import.meta.url);
  const former = (await pendingMigrations(clickhouse)).filter((name) => name < end);
  for (const name of former) {
    const query = readFileSync(new URL(name, folder), 'utf8');
    await client.command({ query, clickhouse_settings: { async_insert: 0 } });
  }
  const values = former.map((name) => ({ name }));
  await client.insert({ table: 'schema_migrations', values, format: 'JSONEachRow' });
}

test('several replicas migrate a missing database at the same time, and a repeat changes nothing', async () => {
  await using fresh = await freshClickHouse();
  const replicas = Array.from({ length: 5 }, () => openClickHouse({ url: fresh.url }));
  const [first] = replicas;
  if (!first) throw new Error('no replica');
  await first.client.command({ query: `DROP DATABASE ${fresh.database} SYNC` });
  await Promise.all(replicas.map(migrateClickHouse));
  expect(await migrateClickHouse(first)).toEqual([]);
  await Promise.all(replicas.map((replica) => replica.close()));
});

test('the migrations produce the committed schema', async () => {
  await using fresh = await freshClickHouse();
  await using clickhouse = openClickHouse({ url: fresh.url });
  await migrateClickHouse(clickhouse);
  const result = await clickhouse.client.query({
    query: `SELECT create_table_query AS sql FROM system.tables WHERE database = currentDatabase() ORDER BY name`,
    format: 'JSONEachRow',
  });
  const tables = await result.json<{ sql: string }>();
  const schema = tables.map(({ sql }) =>
    sql.replaceAll(`${fresh.database}.`, '').replaceAll(/, (?=`|INDEX)/g, ',\n  '),
  );
  await expect(`${schema.join(';\n\n')};\n`).toMatchFileSnapshot('../schema.snapshot.sql');
});

test('a generation from before runs and minutes existed, or whose rows were dropped, is marked outdated once', async () => {
  await using fresh = await freshClickHouse();
  await using clickhouse = openClickHouse({ url: fresh.url });
  const store = new JournalStore(clickhouse);
  const run = (query: string) => clickhouse.client.command({ query, clickhouse_settings: { async_insert: 0 } });
  await migrateTo('0005', clickhouse);
  await store.beginGeneration(1, '2026-01-01T00:00:00.000Z', 'test');
  const rows = (generation: number) =>
    run(`INSERT INTO journal (generation, stream_sequence, stored_at, timestamp, service, job_type, job_id, event_type)
      SELECT ${generation}, number + 1, '2026-03-01', '2026-03-01', 's', 't', 'j', ['created', 'completed'][number + 1]
      FROM numbers(2)`);
  await rows(1);
  await migrateClickHouse(clickhouse);
  expect(await store.greatestGeneration()).toBe(2);
  await rows(2);
  await migrateClickHouse(clickhouse);
  expect(await store.greatestGeneration()).toBe(2);
  for (const [index, table] of ['run_rows', 'minute_rows', 'event_minute_rows'].entries()) {
    await run(`DROP TABLE ${table} SYNC`);
    await migrateClickHouse(clickhouse);
    await migrateClickHouse(clickhouse);
    expect(await store.greatestGeneration(), table).toBe(3 + index);
    await rows(3 + index);
  }
});

test('hours are summed from the existing minutes when hours are new or their rows were dropped', async () => {
  await using fresh = await freshClickHouse();
  await using clickhouse = openClickHouse({ url: fresh.url });
  await migrateTo('0027', clickhouse);
  const bench = new HistoryBench(clickhouse);
  await bench.beginHistory();
  const events = generatedHistory({ jobs: 200, from: Date.UTC(2026, 0, 1), spanMs: 7_200_000 });
  const quarter = Math.ceil(events.length / 4);
  const append = (index: number) => bench.append(events.slice(index * quarter, (index + 1) * quarter));
  await append(0);
  expect((await migrateClickHouse(clickhouse))[0]).toBe('0027_hour_rows.sql');
  await append(1);
  for (const [index, name] of ['hour_rows', 'count_hours'].entries()) {
    await clickhouse.client.command({ query: `DROP TABLE ${name} SYNC` });
    await migrateClickHouse(clickhouse);
    await append(2 + index);
  }
  expect((await bench.views()).hours).toEqual(expectedViews(events).hours);
  expect(await bench.store.greatestGeneration()).toBe(bench.generation);
});

test('a generation that the former fold started continues with the current fold, and its counts stay', async () => {
  await using fresh = await freshClickHouse();
  await using clickhouse = openClickHouse({ url: fresh.url });
  await migrateTo('0021', clickhouse);
  const bench = new HistoryBench(clickhouse);
  await bench.beginHistory();
  const events = generatedHistory({ jobs: 200, from: Date.UTC(2026, 0, 1), spanMs: 600_000 });
  const half = Math.floor(events.length / 2);
  await bench.append(events.slice(0, half));
  await migrateClickHouse(clickhouse);
  expect(await bench.store.greatestGeneration()).toBe(bench.generation);
  await bench.append(events.slice(half));
  const { found, expected } = firstDifferences(await bench.views(), expectedViews(events));
  expect(found).toEqual(expected);
});
