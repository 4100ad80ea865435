// Creates the database and the tables when they are missing. A collector that writes there creates the same ones itself.
import { readdirSync, readFileSync } from 'node:fs';
import type { ClickHouse } from '@trellis/store-clickhouse';

export const DEFAULT_OTEL_DATABASE = 'otel';

const TABLES = new URL('../tables/', import.meta.url);

/** Table → expression for the time of a row. */
const TIME_BY_TABLE = {
  otel_traces: 'toDateTime(Timestamp)',
  otel_traces_trace_id_ts: 'toDateTime(Start)',
  otel_logs: 'TimestampTime',
};

/**
 * Creates what is missing and sets the retention. Safe to run at every start and by several processes at the same time.
 * @param retentionDays whole days after which ClickHouse deletes rows
 */
export async function createTraceTables(clickhouse: ClickHouse, retentionDays: number): Promise<void> {
  await clickhouse.ensureDatabase();
  for (const file of readdirSync(TABLES).sort()) {
    await clickhouse.client.command({ query: readFileSync(new URL(file, TABLES), 'utf8') });
  }
  for (const [table, time] of Object.entries(TIME_BY_TABLE)) {
    await clickhouse.client.command({
      query: `ALTER TABLE ${table} MODIFY TTL ${time} + toIntervalDay(${retentionDays})`,
    });
  }
}
