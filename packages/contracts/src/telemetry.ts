// Names of attributes, spans and operations, spelled the same in every process. Metrics are listed in
// @trellis/instrumentation; @trellis/telemetry exports everything.

/** In the resource of all our telemetry; raised when the conventions change. */
export const TELEMETRY_SCHEMA = 'trellis-1';

/** Attribute keys. The messaging ones are OpenTelemetry's messaging conventions (still in development there). */
export const ATTR = {
  jobId: 'trellis.job.id',
  jobService: 'trellis.job.service',
  jobType: 'trellis.job.type',
  /** From 1; on spans of one attempt. */
  jobAttempt: 'trellis.job.attempt',
  jobMaxTries: 'trellis.job.max_tries',
  /** State after the span's work, where that is known. */
  jobState: 'trellis.job.state',
  jobKey: 'trellis.job.key',
  /** False on the creating span when it made no job: `trellis.job.id` names the one that existed, if there is one. */
  jobCreated: 'trellis.job.created',
  /** True on an attempt's span when the attempt before ended without an outcome: its worker was lost, and its span with it. */
  jobPreviousAttemptLost: 'trellis.job.previous_attempt_lost',
  /** On the creating span of a keyed job: accepted, replaced, coalesced or rejected. */
  queueOutcome: 'trellis.queue_policy.outcome',
  requestId: 'trellis.request.id',
  /** On batches of the projector: `current` or `history`, and the first and last stream sequence. */
  pipeline: 'trellis.pipeline',
  firstSequence: 'trellis.stream.first_sequence',
  lastSequence: 'trellis.stream.last_sequence',
  /** On passes of the janitor; `trellis.janitor.actions.<what>`: how often. */
  duty: 'trellis.janitor.duty',
  actions: 'trellis.janitor.actions',
  /** On log records: the trace of the job or the request, where they are in none or in another. */
  traceId: 'trellis.trace.id',
  /** On resources: TELEMETRY_SCHEMA. */
  telemetrySchema: 'trellis.telemetry.schema',
  instanceId: 'service.instance.id',
  /** On links: why the two belong together. See LINK. */
  linkKind: 'trellis.link',
  messagingSystem: 'messaging.system',
  messagingOperationName: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingConsumerGroup: 'messaging.consumer.group.name',
  messagingMessageId: 'messaging.message.id',
  messagingConversationId: 'messaging.message.conversation_id',
  messagingBatchCount: 'messaging.batch.message_count',
  rpcSystem: 'rpc.system',
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  errorType: 'error.type',
} as const;

export const MESSAGING_SYSTEM = 'nats';
export const RPC_SYSTEM = 'nats';
export const RPC_SERVICE = 'trellis.jobs';

/** Values of the link attribute `trellis.link`. */
export const LINK = {
  /** To the span that created the job. */
  creation: 'creation',
  /** To the attempt before this one. */
  previousAttempt: 'previous-attempt',
  /** To the creation of a job that an action of ours touches. */
  job: 'job',
} as const;

/** What is done to a job or its messages: `messaging.operation.name`, and the first word of the span's name. */
export type SpanOperation =
  | 'create'
  | 'wait'
  | 'process'
  | 'project'
  | 'expire'
  | 'settle'
  | 'purge'
  | 'repair'
  | 'publish'
  | 'request';

/** `process trellis.work.orders-service.charge-payment`: operation and queue, never an id. */
export const spanName = (operation: SpanOperation, destination: string): string => `${operation} ${destination}`;
