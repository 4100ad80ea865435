// The public names of the dev stack: three real servers for `npm start` and the tests.

export {
  type ClickHouseServer,
  type ClickHouseServerOptions,
  startClickHouseServer,
} from './clickhouse/clickhouse-server.ts';
export { cacheFolder, withFolderLock } from './download/cache-folder.ts';
export { findPromtool } from './download/promtool-binary.ts';
export { freePort, isFreePort, onPorts, PortTakenError } from './free-port.ts';
export { homeOwner } from './home-lock.ts';
export { findNatsServer } from './nats/nats-binary.ts';
export { type NatsServer, type NatsServerOptions, startNatsServer } from './nats/nats-server.ts';
export { type PostgresServer, type PostgresServerOptions, startPostgresServer } from './postgres/postgres-server.ts';
export { isRunning, processIdentity } from './process/process-identity.ts';
export { runCommand } from './process/run-command.ts';
export {
  type SupervisedProcess,
  type SupervisedProcessOptions,
  startSupervised,
} from './process/supervised-process.ts';
export { withoutPassword } from './redact.ts';
export {
  type Durability,
  type ExternalUrls,
  type Stack,
  type StackOptions,
  type StackServer,
  type StackServerName,
  type StackUrls,
  startStack,
} from './stack.ts';
