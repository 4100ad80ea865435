export { connectNats, isConnected, whenConnected } from './connect-nats.ts';
export { ackSubjectOf, fetchEach } from './internals.ts';
export { JobStream, type ReadJob } from './job-stream.ts';
export { type Provisioned, provision, TopologyMismatch } from './provision.ts';
export { PublishError, type PublishOptions, type PublishOutcome } from './publish-event.ts';
export { RequestPipe } from './request-pipe.ts';
export { tracedConnection } from './traced-connection.ts';
