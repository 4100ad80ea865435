// The public names of the test support: servers and databases per test file, and waiting for a condition.
// Starting the shared servers behind the databases is left to global-setup.ts.
export { type FreshClickHouse, freshClickHouse } from './fresh-clickhouse.ts';
export { type FreshPostgres, freshPostgres } from './fresh-postgres.ts';
export { type CollectedLog, type CollectedSpan, type OtlpCollector, startOtlpCollector } from './otlp-collector.ts';
export { type RecordedTelemetry, recordTelemetry } from './recorded-telemetry.ts';
export { stopOwnServers } from './shared-servers.ts';
export { startTestNats, type TestNats, type TestNatsOptions } from './test-nats.ts';
export { type WaitOptions, waitFor } from './wait-for.ts';
