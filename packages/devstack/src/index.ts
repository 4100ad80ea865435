// The public face of the dev stack: three real servers for `npm start` and the tests.
// How each one is found, configured and supervised is left to the files named after it.
export { cacheFolder, withFolderLock } from './cache-folder.ts';
export { type ClickHouseServer, type ClickHouseServerOptions, startClickHouseServer } from './clickhouse.ts';
export { freePort, isFreePort, onPorts, PortTakenError } from './free-port.ts';
export { homeOwner } from './home-lock.ts';
export { type NatsServer, type NatsServerOptions, startNatsServer } from './nats.ts';
export { findNatsServer } from './nats-binary.ts';
export { type PostgresServer, type PostgresServerOptions, startPostgresServer } from './postgres.ts';
export { isRunning, processIdentity } from './process-identity.ts';
export { findPromtool } from './promtool-binary.ts';
export { withoutPassword } from './redact.ts';
export { runCommand } from './run-command.ts';
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
export { type SupervisedProcess, type SupervisedProcessOptions, startSupervised } from './supervised-process.ts';
