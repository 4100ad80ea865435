export {
  type Decoded,
  decodeEvent,
  mayBeUnstorable,
  QUARANTINE_CODES,
  type QuarantineCode,
  type Quarantined,
  type StoredMessage,
} from './decode-event.ts';
export {
  Concurrency,
  JobContext,
  LifecycleEvent,
  LOG_LEVELS,
  LogEntry,
  optionalEventFields,
  Progress,
  requiredEventFields,
  type StoredEvent,
} from './event.ts';
export { FAULTS, Fault, FaultBody, type FaultCode, faultCodeOfStatus } from './fault.ts';
export { DEFAULT_HEARTBEAT_INTERVAL_MS, WorkerHeartbeat } from './heartbeat.ts';
export { connectionName, newId, newInstanceId, randomHex } from './ids.ts';
export { Job, Omitted } from './job.ts';
export {
  ActiveSlot,
  KeyConcurrency,
  KeyFreeHint,
  KeyHash,
  KeyQueuePolicy,
  KeyRecord,
  keyFreeSubject,
  keyRecordFilter,
  keyRecordName,
  LastPolicy,
  QueuedJob,
  readKeyRecord,
  type WhenFull,
} from './keyed.ts';
export {
  ALL_EVENTS_FILTER,
  ALL_HEARTBEATS_FILTER,
  DEFAULT_STREAM_NAMES,
  eventSubject,
  heartbeatSubject,
  isEventType,
  isJobId,
  isSubjectToken,
  JobId,
  JobType,
  jobFilter,
  jobIdFilter,
  keyBucketName,
  maxDeliveriesAdvisoryFilter,
  parseEventSubject,
  RPC_PREFIX,
  ServiceName,
  StreamNames,
  workConsumerName,
  workSubject,
} from './names.ts';
export { readNatsUrl, redactUrl } from './nats-url.ts';
export {
  DEFAULT_PIPELINES_BUCKET,
  decodePipelineRecord,
  encodePipelineRecord,
  type Intent,
  NOTHING_WRITTEN,
  PIPELINE_RECORD_KEY,
  PipelineRecord,
} from './pipeline-record.ts';
export {
  CancelRequest,
  GetKeyRequest,
  HealthCheck,
  HealthReply,
  HistoryEntry,
  HistoryReply,
  JobReply,
  KeyStatus,
  ListReply,
  ListRequest,
  ListServicesReply,
  ListServicesRequest,
  MAX_PAGE,
  MutationRequest,
  RPC_METHODS,
  type RpcMethod,
  type RpcReply,
  type RpcRequest,
  ServiceEntry,
  SPAN_KINDS,
  SPAN_STATUSES,
  TraceLog,
  TraceNode,
  TraceReply,
} from './rpc.ts';
export { EVENT_TYPES, EventType, JOB_STATES, JobState } from './state.ts';
export {
  ATTR,
  LINK,
  MESSAGING_SYSTEM,
  RPC_SERVICE,
  RPC_SYSTEM,
  type SpanOperation,
  spanName,
  TELEMETRY_SCHEMA,
} from './telemetry.ts';
export { Instant, instantNow, instantOf, millisOf, readInstant } from './time.ts';
