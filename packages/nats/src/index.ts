export * from './connect-nats.ts';
export * from './job-stream.ts';
export * from './provision.ts';
export { PublishError, type PublishOptions, type PublishOutcome } from './publish-event.ts';
export { RequestPipe } from './request-pipe.ts';
export * from './traced-connection.ts';
