// Checks docs/analytics.md: its tables list the columns of the views, and every query in it runs as the analyst user and returns
// the answer that analytics-answers.ts computes from the events.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startClickHouseServer } from '@trellis/devstack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClickHouse, openClickHouse } from './open-clickhouse.ts';
import { ANSWERS } from './testing/analytics-answers.ts';
import { generatedHistory } from './testing/generated-history.ts';
import { HistoryBench } from './testing/history-bench.ts';
import { HistoryOutcome } from './testing/history-outcome.ts';
import { matches } from './testing/match-rows.ts';

const HOUR_MS = 3_600_000;
const page = readFileSync(new URL('../../../docs/analytics.md', import.meta.url), 'utf8');
/** The heading above each query, and the query. */
const questions = [...page.matchAll(/^### (.+)\n(?:(?!^### |^```sql)[\s\S])*?^```sql\n([\s\S]*?)^```/gm)].map(
  ([, heading = '', query = '']) => ({ heading, query }),
);

const resources = new AsyncDisposableStack();
let analyst: ClickHouse;
let bench: HistoryBench;
let outcome: HistoryOutcome;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), `trellis-test-${process.pid}-page-`));
  resources.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const server = await startClickHouseServer({ folder });
  resources.defer(() => server.stop());
  bench = resources.use(await HistoryBench.open(`${server.url}/trellis_jobs`));
  await bench.beginHistory();
  const from = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 20 * HOUR_MS;
  const events = generatedHistory({ jobs: 2_480, from, spanMs: 18 * HOUR_MS });
  const middle = Math.floor(events.length / 2);
  await bench.append(events.slice(0, middle));
  await bench.append(events.slice(middle));
  outcome = new HistoryOutcome(events);
  analyst = resources.use(openClickHouse({ url: server.analystUrl }));
});
afterAll(() => resources.disposeAsync());

test('the page lists the columns of the views', async () => {
  const columns = await bench.rows<{ view: string; name: string; type: string; comment: string }>(
    `SELECT table AS view, name, type, comment FROM system.columns
    WHERE database = currentDatabase() AND table IN ('runs', 'minutes', 'hours', 'event_minutes', 'events', 'quarantine')
    ORDER BY table, position`,
  );
  const table = (view: string) =>
    columns
      .filter((column) => column.view === view)
      .map(({ name, type, comment }) => `| \`${name}\` | ${shortType(type)} | ${comment.replaceAll('|', '\\|')} |\n`);
  expect(columns.filter(({ comment }) => comment === '')).toEqual([]);
  const rewritten = page.replaceAll(
    /^### (\w+)\n\n<!-- columns -->\n(?:\n\|[\s\S]*?\n(?=\n))?/gm,
    (_, view: string) =>
      `### ${view}\n\n<!-- columns -->\n\n| column | type | meaning |\n|---|---|---|\n${table(view).join('')}`,
  );
  await expect(rewritten).toMatchFileSnapshot('../../../docs/analytics.md');
});

/** A type in readable form. */
function shortType(type: string): string {
  if (type.startsWith('AggregateFunction')) return 'sketch';
  return type
    .replaceAll(/LowCardinality\((\w+)\)/g, '$1')
    .replaceAll(/DateTime64\(0, 'UTC'\)/g, 'DateTime')
    .replaceAll(/DateTime64\(3, 'UTC'\)/g, 'DateTime64(3)');
}

test('every question has an expected answer, and there are at least fifteen', () => {
  expect(questions.map(({ heading }) => heading).toSorted()).toEqual(Object.keys(ANSWERS).toSorted());
  expect(questions.length).toBeGreaterThanOrEqual(15);
});

test.each(questions)('$heading', async ({ heading, query }) => {
  const result = await analyst.client.query({
    query,
    format: 'JSONEachRow',
    clickhouse_settings: { date_time_output_format: 'iso', output_format_json_quote_64bit_integers: 0 },
  });
  const rows = await result.json<Record<string, unknown>>();
  const expected = ANSWERS[heading]?.(outcome) ?? [];
  expect(rows.length).toBeGreaterThan(0);
  const wrong = rows.findIndex((row, index) => !matches(row, expected[index]));
  expect({ row: rows[wrong], count: rows.length }).toEqual({ row: expected[wrong], count: expected.length });
});
