// Every kind of span of ours, as data: docs/telemetry.md is written from it and tests compare what is exported with it.
import { ATTR, LINK, RPC_SERVICE } from '@trellis/contracts';

export interface SpanEntry {
  /** With what varies in angle brackets. */
  name: string;
  /** What names of such spans look like. */
  pattern: RegExp;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  recordedBy: string;
  description: string;
  /** Where it hangs. */
  parent: string;
  /** Attributes that each has, and those that some have. */
  attributes: readonly string[];
  sometimes?: readonly string[];
  /** Values of `trellis.link`. */
  links?: readonly string[];
}

const QUEUE = 'trellis\\.work\\.[\\w-]+\\.[\\w-]+';
const JOB = [ATTR.jobId, ATTR.jobService, ATTR.jobType];
const MESSAGING = [ATTR.messagingSystem, ATTR.messagingOperationName, ATTR.messagingDestination];
const MESSAGE = [...MESSAGING, ATTR.messagingMessageId, ATTR.messagingConversationId];
const RPC = [ATTR.rpcSystem, ATTR.rpcService, ATTR.rpcMethod, ATTR.requestId];
const ATTEMPT = [
  ...JOB,
  ...MESSAGE,
  ATTR.messagingConsumerGroup,
  ATTR.jobAttempt,
  ATTR.jobMaxTries,
  ATTR.requestId,
  ATTR.instanceId,
];
const SDK = 'services (SDK)';
const CREATION_AND_PREVIOUS = [LINK.creation, LINK.previousAttempt];

export const SPANS: readonly SpanEntry[] = [
  {
    name: 'create <queue>',
    pattern: new RegExp(`^create ${QUEUE}$`),
    kind: 'producer',
    recordedBy: SDK,
    description: 'The creation of a job; its context is the job’s `traceparent`',
    parent: 'the active span, else the creation of the job that is being handled',
    attributes: [...JOB, ...MESSAGE, ATTR.messagingOperationType, ATTR.requestId],
    sometimes: [ATTR.queueOutcome, ATTR.jobCreated, ATTR.errorType],
    links: [LINK.job],
  },
  {
    name: 'wait <queue>',
    pattern: new RegExp(`^wait ${QUEUE}$`),
    kind: 'internal',
    recordedBy: SDK,
    description: 'From when an attempt was due to when it began',
    parent: 'the creation; for a late attempt the attempt',
    attributes: ATTEMPT,
    sometimes: [ATTR.jobKey],
    links: CREATION_AND_PREVIOUS,
  },
  {
    name: 'process <queue>',
    pattern: new RegExp(`^process ${QUEUE}$`),
    kind: 'consumer',
    recordedBy: SDK,
    description: 'One attempt: everything that its handler does hangs below it',
    parent: 'the creation; none (a trace of its own) when that is more than ten minutes ago',
    attributes: [...ATTEMPT, ATTR.messagingOperationType, ATTR.jobState],
    sometimes: [ATTR.jobKey, ATTR.jobPreviousAttemptLost, ATTR.errorType],
    links: CREATION_AND_PREVIOUS,
  },
  {
    name: 'publish <subject>',
    pattern: /^publish \S+$/,
    kind: 'producer',
    recordedBy: SDK,
    description:
      'A message that a handler sends with `job.nats` or `service.nats`; tokens with digits are `*` in the name',
    parent: 'the attempt',
    attributes: [...MESSAGING, ATTR.messagingOperationType],
    sometimes: [ATTR.errorType],
  },
  {
    name: 'request <subject>',
    pattern: /^request \S+$/,
    kind: 'client',
    recordedBy: SDK,
    description: 'A request that a handler sends with `job.nats` or `service.nats`, until its answer',
    parent: 'the attempt',
    attributes: [...MESSAGING, ATTR.messagingOperationType],
    sometimes: [ATTR.errorType],
  },
  {
    name: 'project <pipeline>',
    pattern: /^project (current|history)$/,
    kind: 'consumer',
    recordedBy: 'projector',
    description: 'One batch, while it is written; linked to the first 64 jobs in it',
    parent: 'none',
    attributes: [
      ...MESSAGING,
      ATTR.messagingOperationType,
      ATTR.messagingConsumerGroup,
      ATTR.messagingBatchCount,
      ATTR.pipeline,
      ATTR.firstSequence,
      ATTR.lastSequence,
    ],
    sometimes: [ATTR.errorType],
    links: [LINK.job],
  },
  {
    name: `${RPC_SERVICE}/<method>`,
    pattern: new RegExp(`^${RPC_SERVICE.replace('.', '\\.')}/\\w+$`),
    kind: 'client',
    recordedBy: 'client',
    description:
      'A call of an RPC, until its answer. The CLI exports nothing, but every call carries a trace to look it up by',
    parent: 'the active span',
    attributes: RPC,
    sometimes: [ATTR.jobId, ATTR.errorType],
  },
  {
    name: `${RPC_SERVICE}/<method>`,
    pattern: new RegExp(`^${RPC_SERVICE.replace('.', '\\.')}/\\w+$`),
    kind: 'server',
    recordedBy: 'rpc-gateway',
    description: 'The answer to an RPC; an error only where the gateway failed',
    parent: 'the caller’s span',
    attributes: RPC,
    sometimes: [...JOB, ATTR.jobState, ATTR.errorType],
    links: [LINK.job],
  },
  {
    name: 'janitor <duty>',
    pattern: /^janitor [\w-]+$/,
    kind: 'internal',
    recordedBy: 'janitor',
    description: 'One pass of a duty',
    parent: 'none',
    attributes: [ATTR.duty],
    sometimes: [`${ATTR.actions}.<what>`, ATTR.errorType],
  },
  {
    name: 'expire, settle, purge, repair <queue>',
    pattern: new RegExp(`^(expire|settle|purge|repair) ${QUEUE}$`),
    kind: 'internal',
    recordedBy: 'janitor',
    description: 'What a pass does to one job',
    parent: 'the pass',
    attributes: JOB,
    sometimes: [ATTR.errorType],
    links: [LINK.job],
  },
  {
    name: 'pg.query:<statement>',
    pattern: /^pg\.query:[A-Z]+$/,
    kind: 'client',
    recordedBy: 'rpc-gateway, janitor, services',
    description: 'A statement of `pg`, without the values of its parameters',
    parent: 'the active span; without one nothing is recorded',
    attributes: ['db.system.name', 'db.namespace', 'db.query.text', 'server.address', 'server.port'],
  },
  {
    name: 'GET, POST, …',
    pattern: /^[A-Z]+$/,
    kind: 'client',
    recordedBy: 'every process',
    description: 'An outgoing request of `node:http` or `fetch`, without what its URL asks with',
    parent: 'the active span; without one nothing is recorded',
    attributes: ['http.request.method', 'url.full', 'server.address', 'server.port'],
    sometimes: ['http.response.status_code', ATTR.errorType],
  },
];

/** The entry that a span belongs to; undefined for one that is not documented. */
export const spanEntryOf = (name: string, kind: SpanEntry['kind']): SpanEntry | undefined =>
  SPANS.find((entry) => entry.kind === kind && entry.pattern.test(name));
