// One RPC over NATS request/reply, in a span of its own: encode, send, read the reply, turn what went wrong into a Fault.
// Which methods exist and what they carry is @trellis/contracts' business.
import {
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
} from '@nats-io/transport-node';
import { context, type Span, SpanKind, trace } from '@opentelemetry/api';
import {
  ATTR,
  Fault,
  FaultBody,
  faultCodeOfStatus,
  newId,
  RPC_PREFIX,
  RPC_SERVICE,
  RPC_SYSTEM,
  type RpcMethod,
  type RpcReply,
  type RpcRequest,
} from '@trellis/contracts';
import { contextOf, injectHeaders, withSpan } from '@trellis/instrumentation';
import { RequestPipe } from '@trellis/nats';

export interface CallOptions {
  /** How long to wait for the reply, in milliseconds; default that of the client. */
  timeoutMs?: number;
  /** Sent as `request-id` and found again in the gateway's log; default a new ULID. */
  requestId?: string;
  /** W3C trace context that the call belongs to, sent as it is; default that of the call's span, below the active one. */
  traceparent?: string;
  tracestate?: string;
  /** Who asks: recorded as the actor of what the call changes. */
  actorId?: string;
}

const TRACER = '@trellis/client';

/**
 * Calls one RPC.
 * @throws {Fault} the gateway's refusal with its code and details; `unavailable` when nobody answers in time
 */
export function callRpc<Method extends RpcMethod>(
  connection: NatsConnection,
  method: Method,
  request: RpcRequest<Method>,
  options: CallOptions & { timeoutMs: number },
): Promise<RpcReply<Method>> {
  const { traceparent, tracestate, requestId = newId() } = options;
  const name = method.slice(method.indexOf('.') + 1);
  const attributes = {
    [ATTR.rpcSystem]: RPC_SYSTEM,
    [ATTR.rpcService]: RPC_SERVICE,
    [ATTR.rpcMethod]: name,
    [ATTR.requestId]: requestId,
    ...('id' in request && typeof request.id === 'string' ? { [ATTR.jobId]: request.id } : {}),
  };
  const parent = traceparent === undefined ? context.active() : contextOf(traceparent, tracestate);
  return withSpan(TRACER, `${RPC_SERVICE}/${name}`, { kind: SpanKind.CLIENT, attributes, parent }, (span) =>
    send(connection, method, request, { ...options, requestId }, span),
  );
}

async function send<Method extends RpcMethod>(
  connection: NatsConnection,
  method: Method,
  request: RpcRequest<Method>,
  options: CallOptions & { timeoutMs: number; requestId: string },
  span: Span,
): Promise<RpcReply<Method>> {
  const subject = `${RPC_PREFIX}${method}`;
  const carried = headers();
  carried.set('request-id', options.requestId);
  injectHeaders(carried, trace.setSpan(context.active(), span));
  if (options.traceparent !== undefined) {
    carried.set('traceparent', options.traceparent);
    if (options.tracestate === undefined) carried.delete('tracestate');
    else carried.set('tracestate', options.tracestate);
  }
  if (options.actorId !== undefined) carried.set('actor-id', options.actorId);
  let reply: Msg;
  try {
    reply = await pipeOf(connection).request(subject, JSON.stringify(request), {
      timeoutMs: options.timeoutMs,
      headers: linesOf(carried),
    });
  } catch (error) {
    throw unansweredFault(subject, options.timeoutMs, error, carried.get('traceparent').split('-')[1]);
  }
  if (isRefusal(reply)) throw refusal(subject, reply);
  try {
    // The gateway checks what it sends; checking again here would fail a whole page for one row that is newer than this client.
    return reply.json<RpcReply<Method>>();
  } catch (error) {
    throw new Fault('unexpected', `${subject}: the reply is not JSON`, {}, { cause: error });
  }
}

const pipes = new WeakMap<NatsConnection, RequestPipe>();

/** All clients of a connection share what its answers come by. */
function pipeOf(connection: NatsConnection): RequestPipe {
  const known = pipes.get(connection);
  if (known !== undefined) return known;
  const pipe = new RequestPipe(connection);
  pipes.set(connection, pipe);
  return pipe;
}

/** As the pipe takes them: without the line above and the empty one below. */
const linesOf = (carried: MsgHdrs): string => String(carried).slice('NATS/1.0\r\n'.length, -'\r\n'.length);

const isRefusal = (reply: Msg): boolean =>
  reply.headers?.get('status') === 'error' || (reply.headers?.get('Nats-Service-Error-Code') ?? '') !== '';

function refusal(subject: string, reply: Msg): Fault {
  const status = Number(reply.headers?.get('Nats-Service-Error-Code'));
  const code = faultCodeOfStatus(status);
  let body: unknown;
  try {
    body = reply.json();
  } catch {
    body = undefined;
  }
  const parsed = FaultBody.safeParse(body);
  if (!parsed.success) {
    return new Fault(code, reply.headers?.get('Nats-Service-Error') || `${subject}: refused without a reason`);
  }
  const { message, resource, jobId, context: facts, traceId } = parsed.data;
  return new Fault(code, message, {
    ...(resource === undefined ? {} : { resource }),
    ...(jobId === undefined ? {} : { jobId }),
    ...(facts === undefined ? {} : { context: facts }),
    ...(traceId === undefined ? {} : { traceId }),
  });
}

function unansweredFault(subject: string, timeoutMs: number, error: unknown, traceId: string | undefined): Fault {
  const causes = causesOf(error);
  const is = (kind: new (...args: never[]) => Error) => causes.some((cause) => cause instanceof kind);
  const details = traceId === undefined ? {} : { traceId };
  const say = (message: string) => new Fault('unavailable', message, details, { cause: error });
  if (is(NoRespondersError)) {
    return say(`nobody answers ${subject}: is the jobs gateway running, and connected to the same NATS account?`);
  }
  if (is(TimeoutError)) return say(`no answer from ${subject} within ${timeoutMs} ms`);
  if (is(PermissionViolationError)) return say(`these NATS credentials may not call ${subject}`);
  return say(`${subject} could not be called: ${error instanceof Error ? error.message : String(error)}`);
}

/** An error and its causes: nats.js wraps what happened in a RequestError. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  for (let at = error; at instanceof Error; at = at.cause) causes.push(at);
  return causes;
}
