// What test files import: servers and databases of their own, and a wait for conditions that give no signal.
// The shared servers behind the databases are left to global-setup.ts.
export { type FreshClickHouse, freshClickHouse } from './fresh-clickhouse.ts';
export { type FreshPostgres, freshPostgres } from './fresh-postgres.ts';
export { stopOwnServers } from './shared-servers.ts';
export { type TestNats, type TestNatsOptions, startTestNats } from './test-nats.ts';
export { waitFor, type WaitOptions } from './wait-for.ts';
