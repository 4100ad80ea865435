export * from './config/describe-config.ts';
export * from './config/load-config.ts';
export * from './config/telemetry-settings.ts';
export * from './log/logger.ts';
export * from './process/process-memory.ts';
export * from './process/run-component.ts';
