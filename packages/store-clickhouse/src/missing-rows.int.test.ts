import { freshClickHouse } from '@trellis/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generatedHistory } from './testing/generated-history.ts';
import { blockOf, expectedViews, firstDifferences, HistoryBench } from './testing/history-bench.ts';

// Two blocks, each over the end of a month: an insert creates one part for each month of each table.
const events = generatedHistory({ jobs: 400, from: Date.UTC(2026, 0, 1), spanMs: 120 * 86_400_000 });
const half = Math.floor(events.length / 2);
const [first, second] = [events.slice(0, half), events.slice(half)];

const everything = new AsyncDisposableStack();
let bench: HistoryBench;
beforeAll(async () => {
  const fresh = everything.use(await freshClickHouse());
  bench = everything.use(await HistoryBench.open(fresh.url));
});
afterAll(() => everything.disposeAsync());

/** Removes the generation's rows of one month from a table and keeps the token, like a server killed during an insert. */
const losePart = (table: string, month: string) =>
  bench.clickhouse.client.command({
    query: `ALTER TABLE ${table} DELETE WHERE generation = ${bench.generation} AND ${month}`,
    clickhouse_settings: { mutations_sync: '2' },
  });

describe('a block that was appended', () => {
  test('is complete, also after it was sent twice and merged with the previous block', async () => {
    await bench.beginHistory();
    await bench.append(first);
    expect(await bench.store.tablesThatLack(blockOf(bench.generation, first))).toEqual([]);
    await bench.append(second);
    await bench.append(second);
    const block = blockOf(bench.generation, second);
    expect(await bench.store.tablesThatLack(block)).toEqual([]);
    for (const table of ['journal', 'run_rows', 'minute_rows', 'hour_rows', 'event_minute_rows'])
      await bench.clickhouse.client.command({ query: `OPTIMIZE TABLE ${table} FINAL` });
    expect(await bench.store.tablesThatLack(block)).toEqual([]);
    const { found, expected } = firstDifferences(await bench.views(), expectedViews(events));
    expect(found).toEqual(expected);
  });

  test.each([
    ['journal', 'toYYYYMM(stored_at) = 202603'],
    ['run_rows', 'first_month = 202603'],
    ['minute_rows', 'toYYYYMM(stored_on) = 202603'],
    ['hour_rows', 'toYYYYMM(stored_on) = 202603'],
    ['event_minute_rows', 'toYYYYMM(stored_on) = 202603'],
  ])('is known to lack a part in %s that a repeat does not bring', async (table, month) => {
    await bench.beginHistory();
    await bench.append(first);
    await bench.append(second);
    await losePart(table, month);
    await bench.append(second);
    expect(await bench.store.tablesThatLack(blockOf(bench.generation, second))).toContain(table);
    if (table !== 'journal')
      expect(await bench.store.tablesThatLack(blockOf(bench.generation, second))).toEqual([table]);
  });
});
