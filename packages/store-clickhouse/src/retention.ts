// Sets the retention of the history: the TTL of its tables, from when the stream stored the event. The projector's configuration
// has the number of days.
import type { ClickHouse } from './open-clickhouse.ts';

/** Table → expression for when the stream stored the event of a row. */
const STORED_BY_TABLE: Record<string, string> = {
  journal: 'toDateTime(stored_at)',
  run_rows: 'stored_on',
  minute_rows: 'stored_on',
  hour_rows: 'stored_on',
  event_minute_rows: 'stored_on',
};

/**
 * Keeps events of the last `days` days; all events when undefined. Changes only tables with another TTL. ClickHouse deletes
 * expired rows in the background.
 * @returns the names of the changed tables
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
