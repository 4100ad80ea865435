import { freshClickHouse } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { migrateClickHouse } from './migrate.ts';
import { openClickHouse } from './open-clickhouse.ts';

test('several replicas migrate one missing database at the same time, and once more changes nothing', async () => {
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
