// How long ClickHouse keeps the history: the TTL of its tables, by the time the stream stored the event.
// For how long is the projector's configuration.
import type { ClickHouse } from './open-clickhouse.ts';

/** The column that says when the stream stored what a row tells of, by table. */
const STORED_BY_TABLE: Record<string, string> = {
  journal: 'toDateTime(stored_at)',
  run_rows: 'stored_on',
  minute_rows: 'stored_on',
  hour_rows: 'stored_on',
  event_minute_rows: 'stored_on',
};

/**
 * Makes the tables keep what was stored in the last `days` days, everything when undefined. Changes only tables where it
 * is otherwise; what is too old goes by and by.
 * @returns the names of the tables changed
 */
export async function applyRetention(clickhouse: ClickHouse, days: number | undefined): Promise<string[]> {
  const result = await clickhouse.client.query({
    query: `SELECT name, extract(engine_full, ' TTL (.*?)(?: SETTINGS .*)?$') AS ttl FROM system.tables
      WHERE database = currentDatabase() AND name IN ({names: Array(String)}) ORDER BY name`,
    query_params: { names: Object.keys(STORED_BY_TABLE) },
    format: 'JSONEachRow',
  });
  const changed: string[] = [];
  for (const { name, ttl } of await result.json<{ name: string; ttl: string }>()) {
    const wanted = days === undefined ? '' : `${STORED_BY_TABLE[name]} + toIntervalDay(${days})`;
    if (ttl === wanted) continue;
    await clickhouse.client.command({
      query: `ALTER TABLE ${name} ${wanted === '' ? 'REMOVE TTL' : `MODIFY TTL ${wanted}`}`,
    });
    changed.push(name);
  }
  return changed;
}
