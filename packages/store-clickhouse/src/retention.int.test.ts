import { freshClickHouse } from '@trellis/test-support';
import { expect, test } from 'vitest';
import { applyRetention } from './retention.ts';
import { generatedHistory } from './testing/generated-history.ts';
import { HistoryBench } from './testing/history-bench.ts';

const TABLES = ['event_minute_rows', 'hour_rows', 'journal', 'minute_rows', 'run_rows'];
const DAY_MS = 86_400_000;

test('the retention is set on every table, changed when it differs, and removed', async () => {
  await using fresh = await freshClickHouse();
  await using bench = await HistoryBench.open(fresh.url);
  const ttls = async () =>
    (
      await bench.rows<{ ttl: string }>(
        `SELECT extract(engine_full, 'TTL .*toIntervalDay\\\\((\\\\d+)\\\\)') AS ttl FROM system.tables
        WHERE database = currentDatabase() AND name IN ('${TABLES.join("', '")}') ORDER BY name`,
      )
    ).map(({ ttl }) => ttl);
  expect(await applyRetention(bench.clickhouse, undefined)).toEqual([]);
  expect(await applyRetention(bench.clickhouse, 30)).toEqual(TABLES);
  expect(await ttls()).toEqual(TABLES.map(() => '30'));
  expect(await applyRetention(bench.clickhouse, 30)).toEqual([]);
  expect(await applyRetention(bench.clickhouse, 7)).toEqual(TABLES);
  expect(await ttls()).toEqual(TABLES.map(() => '7'));
  expect(await applyRetention(bench.clickhouse, undefined)).toEqual(TABLES);
  expect(await ttls()).toEqual(TABLES.map(() => ''));
});

test('expired events leave all views, others stay', async () => {
  await using fresh = await freshClickHouse();
  await using bench = await HistoryBench.open(fresh.url);
  await bench.beginHistory();
  const old = generatedHistory({ jobs: 60, from: Date.now() - 100 * DAY_MS, spanMs: DAY_MS });
  const young = generatedHistory({ jobs: 60, from: Date.now() - 10 * DAY_MS, spanMs: DAY_MS }).map((stored) => ({
    ...stored,
    sequence: stored.sequence + old.length,
    event: { ...stored.event, jobId: `young-${stored.event.jobId}` },
  }));
  await bench.append(old);
  await bench.append(young);
  await applyRetention(bench.clickhouse, 30);
  const counts = async () => {
    for (const table of TABLES) await bench.clickhouse.client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
    return bench.rows(`SELECT (SELECT count() FROM events) AS events, (SELECT count() FROM runs) AS runs,
      (SELECT sum(events) FROM event_minutes) AS counted, (SELECT min(minute) > now() - INTERVAL 30 DAY FROM minutes) AS young,
      (SELECT sum(jobs) FROM hours) AS ended, (SELECT sum(jobs) FROM minutes) AS ended_by_minute`);
  };
  await expect
    .poll(counts, { timeout: 30_000 })
    .toEqual([{ events: young.length, runs: 60, counted: young.length, young: 1, ended: 60, ended_by_minute: 60 }]);
});
