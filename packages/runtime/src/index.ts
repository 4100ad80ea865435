export {
  baseConfig,
  clickhouseConfig,
  databaseConnections,
  duration,
  leaseMs,
  METRICS_EXPORTERS,
  natsConfig,
  pipelinesConfig,
  postgresConfig,
  processConfig,
  telemetryConfig,
} from './config/config-parts.ts';
export { describeConfig } from './config/describe-config.ts';
export { ConfigError, configOrExit, environmentName, loadConfig, redactConfig } from './config/load-config.ts';
export { type ComponentTelemetry, telemetryOf } from './config/telemetry-settings.ts';
export { createLogger } from './log/logger.ts';
export {
  boundHeapGrowth,
  boundYoungGeneration,
  collectAtStart,
  collectWhenQuiet,
  expectNothingToStay,
} from './process/process-memory.ts';
export { type ComponentScope, runComponent } from './process/run-component.ts';
export { useNats } from './process/use-nats.ts';
