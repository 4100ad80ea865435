export * from './component.ts';
export * from './connect-nats.ts';
export * from './job-stream.ts';
export * from './load-config.ts';
export * from './logger.ts';
export * from './loop.ts';
export * from './provision.ts';
export { PublishError, type PublishOptions, type PublishOutcome } from './publish-event.ts';
export * from './waiting.ts';
