// What one RPC is: a file under methods/ gives its name and its handler. Reading requests, fitting replies into a message and
// replying to errors is the same for all methods.

import type { Logger } from '@trellis/async';
import type { Job, RpcMethod, RpcReply, RpcRequest } from '@trellis/contracts';
import type { JobStream } from '@trellis/nats';
import type { HistoryReader } from '@trellis/store-clickhouse';
import type { JobReader, PresenceReader } from '@trellis/store-postgres';
import type { TraceReader } from '@trellis/store-traces';
import type { HealthProbes } from '../health/health-probes.ts';
import type { ProjectionProgress } from '../health/projection-progress.ts';
import { readRequest } from './read-request.ts';
import { isTraced, touchJob } from './rpc-telemetry.ts';

/** What methods act on. */
export interface Ports {
  reader: JobReader;
  presence: PresenceReader;
  stream: JobStream;
  projection: ProjectionProgress;
  health: HealthProbes;
  /** Undefined: no ClickHouse is configured. */
  history: HistoryReader | undefined;
  traces: TraceReader | undefined;
  settings: {
    cancelActiveByForce: boolean;
    projectionWaitMs: number;
    /** A URL with {traceId} in it. */
    traceUrlTemplate?: string | undefined;
  };
}

/** Who calls, as the request's headers tell. */
export interface Call {
  requestId: string;
  traceId: string | undefined;
  /** `actor-id`: recorded on what the call changes. */
  actorId: string | undefined;
  log: Logger;
  /** Bytes that a reply may have. */
  maxReplyBytes: number;
}

/** A reply that comes as JSON. */
export class ReplyText {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

export interface MethodDefinition<Name extends RpcMethod> {
  name: Name;
  /** @throws {Fault} what the caller did wrong or cannot have */
  answer(request: RpcRequest<Name>, call: Call, ports: Ports): Promise<RpcReply<Name> | ReplyText>;
  /** A smaller reply that says what it leaves out, for one that is larger than `maxBytes` of JSON. */
  fit?(reply: RpcReply<Name>, maxBytes: number, request: RpcRequest<Name>): RpcReply<Name>;
}

/** Methods of contracts, and what is only another name for one of them. */
type MethodName = RpcMethod | 'Jobs.ListDLQ';

export interface Method {
  name: MethodName;
  /** From the request's bytes to the reply's JSON. */
  handle(data: Uint8Array, call: Call, ports: Ports): Promise<Buffer>;
}

export function defineMethod<Name extends RpcMethod>({ name, answer, fit }: MethodDefinition<Name>): Method {
  return {
    name,
    async handle(data, call, ports) {
      const request = readRequest(name, data);
      if ('id' in request) touchJob({ id: request.id });
      const answered = await answer(request, call, ports);
      const text = answered instanceof ReplyText ? answered.json : JSON.stringify(answered);
      const read = () => (answered instanceof ReplyText ? (JSON.parse(text) as RpcReply<Name>) : answered);
      if (isTraced()) touchJobOf(read());
      const whole = Buffer.from(text);
      if (whole.length <= call.maxReplyBytes) return whole;
      // Written again it may fit: what comes as text may have spaces in it.
      const fitted = Buffer.from(JSON.stringify(fit ? fit(read(), call.maxReplyBytes, request) : read()));
      if (fitted.length <= call.maxReplyBytes) return fitted;
      throw new Error(`${name}: the reply of ${fitted.length} bytes does not fit into a message`);
    },
  };
}

function touchJobOf(reply: object): void {
  const { job } = reply as { job?: Job };
  if (job) touchJob(job);
}
