// The rights of the analyst user on the embedded server, whose users file equals infra/clickhouse/analyst.sql.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredEvent } from '@trellis/contracts';
import { startClickHouseServer } from '@trellis/devstack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClickHouse, openClickHouse } from './open-clickhouse.ts';
import { HistoryBench } from './testing/history-bench.ts';

const VIEWS = ['events', 'runs', 'minutes', 'hours', 'event_minutes', 'quarantine'];
const TABLES = [
  ...['journal', 'generations', 'run_rows', 'minute_rows', 'hour_rows', 'event_minute_rows'],
  ...['run_changes', 'fold_runs'],
];

const created: StoredEvent = {
  sequence: 1,
  storedAt: '2026-03-01T10:00:01.000Z',
  event: {
    jobId: 'j1',
    service: 'orders',
    jobType: 'reserve',
    eventType: 'created',
    state: 'pending',
    timestamp: '2026-03-01T10:00:00.000Z',
    context: { requestId: 'r', traceId: 'a'.repeat(32), traceparent: 'p' },
    tries: 0,
    payload: {},
  },
};
const completed: StoredEvent = {
  ...created,
  sequence: 2,
  event: { ...created.event, eventType: 'completed', state: 'completed', timestamp: '2026-03-01T10:00:09.000Z' },
};

const resources = new AsyncDisposableStack();
let analyst: ClickHouse;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), `trellis-test-${process.pid}-analyst-`));
  resources.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const server = await startClickHouseServer({ folder });
  resources.defer(() => server.stop());
  analyst = resources.use(openClickHouse({ url: server.analystUrl }));
  const other = resources.use(openClickHouse({ url: `${server.url}/otel` }));
  await other.ensureDatabase();
  await other.client.command({ query: 'CREATE TABLE spans (id UInt32) ORDER BY id' });
  await fill(`${server.url}/trellis_jobs`);
});
afterAll(() => resources.disposeAsync());

/** A database with one job. */
async function fill(url: string): Promise<void> {
  const bench = resources.use(await HistoryBench.open(url));
  await bench.beginHistory();
  await bench.append([created, completed]);
}

describe('the analyst', () => {
  const ask = async (query: string, settings = {}) =>
    (await analyst.client.query({ query, format: 'JSONEachRow', clickhouse_settings: settings })).json();

  test.each(VIEWS)('can read %s', async (view) => {
    expect(await ask(`SELECT * FROM ${view}`)).toHaveLength({ events: 2, event_minutes: 2, quarantine: 0 }[view] ?? 1);
  });

  test.each(TABLES)('cannot read %s', async (table) => {
    await expect(ask(`SELECT count() FROM ${table}`)).rejects.toThrow(/Not enough privileges/);
  });

  test.each([
    "SELECT * FROM merge('trellis_jobs', '^journal$')",
    'SELECT * FROM otel.spans',
    'SELECT * FROM system.users',
    'SELECT * FROM system.processes',
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "SELECT * FROM file('users.xml', 'LineAsString')",
    'INSERT INTO generations (generation) VALUES (9)',
    'CREATE TABLE mine (a UInt8) ORDER BY a',
    'CREATE TEMPORARY TABLE mine (a UInt8)',
    'ALTER TABLE journal DELETE WHERE 1',
    'DROP VIEW events',
    'TRUNCATE TABLE run_rows',
    'GRANT SELECT ON *.* TO analyst',
    'CREATE USER another',
    'KILL QUERY WHERE 1',
    'SYSTEM STOP MERGES trellis_jobs.journal',
    'SET max_memory_usage = 1',
    'SET readonly = 0',
  ])('is refused: %s', async (query) => {
    await expect(analyst.client.command({ query })).rejects.toThrow(
      /Not enough privileges|readonly mode|READONLY|ACCESS_DENIED|doesn't have|There are no tables/,
    );
  });

  test('can change the settings that clients need to read a result, and no others', async () => {
    await ask('SELECT 1', { date_time_output_format: 'iso', output_format_json_quote_64bit_integers: 0 });
    await expect(ask('SELECT 1', { max_threads: 64 })).rejects.toThrow(/readonly mode/);
    await expect(ask('SELECT 1', { readonly: '0' })).rejects.toThrow(/readonly mode/);
  });

  test('sees only the views', async () => {
    expect(
      await ask('SELECT DISTINCT name FROM system.tables WHERE database = currentDatabase() ORDER BY name'),
    ).toEqual(VIEWS.toSorted().map((name) => ({ name })));
  });
});

test('the statements for other servers are valid, and grant the same rights as the embedded server', async () => {
  const file = readFileSync(new URL('../../../infra/clickhouse/analyst.sql', import.meta.url), 'utf8');
  const statements = file
    .replaceAll(/^--.*$/gm, '')
    .split(';')
    .flatMap((statement) => statement.trim() || []);
  const read = async (query: string, query_params = {}) => {
    const result = await analyst.client.query({ query, query_params, format: 'JSONCompactEachRow' });
    return (await result.json<[string]>()).map(([line]) => line);
  };
  const formatted = await read('SELECT formatQuerySingleLine(arrayJoin({statements: Array(String)}))', { statements });
  expect(formatted[0]).toMatch(/^CREATE USER IF NOT EXISTS analyst .* SETTINGS readonly = 1/);
  expect(formatted.slice(1).toSorted()).toEqual((await read('SHOW GRANTS')).toSorted());
});
