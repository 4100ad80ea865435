// The methods as a NATS service: one endpoint each, discoverable by $SRV.PING/INFO/STATS, a bounded number of requests
// at once, and an answer to every request whatever happens. What the methods do is their own business.
import { type ServiceMsg, Svcm } from '@nats-io/services';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { FAULTS, Fault, type FaultCode, RPC_PREFIX } from '@trellis/contracts';
import { aborted, injectHeaders, type Logger, newId } from '@trellis/runtime';
import pLimit from 'p-limit';
import { faultReply } from './fault-reply.ts';
import type { Call, Method, Ports } from './method.ts';
import { inServerSpan, type RpcOutcome, showMethods } from './rpc-telemetry.ts';

export const SERVICE_NAME = 'trellis-jobs';
const SERVICE_VERSION = '0.19.0';
const QUEUE_GROUP = 'trellis-jobs';
/** Room for the headers of a reply: the broker counts them as payload. */
const HEADER_BYTES = 4_096;
const MAX_ECHOED = 256;

export interface RpcServiceOptions {
  nc: NatsConnection;
  methods: readonly Method[];
  ports: Ports;
  log: Logger;
  maxConcurrent: number;
  maxWaiting: number;
}

interface Figures {
  requests: number;
  faults: number;
  inFlight: number;
  totalMs: number;
}

/**
 * Answers until `signal` aborts, then takes no further requests and waits until those in hand are answered.
 * @throws Error when the service ends unasked: the framework gives up when one of its subscriptions does
 */
export async function serveUntilStopped(options: RpcServiceOptions, signal: AbortSignal): Promise<void> {
  const { nc, methods, ports, log, maxConcurrent, maxWaiting } = options;
  const limit = pLimit(maxConcurrent);
  const inHand = new Set<Promise<void>>();
  const figures = new Map<string, Figures>();

  const service = await new Svcm(nc).add({
    name: SERVICE_NAME,
    version: SERVICE_VERSION,
    description: 'The jobs admin RPCs (trellis.jobs@v1)',
    queue: QUEUE_GROUP,
    // The framework's own figures see only the synchronous part of a handler.
    statsHandler: (endpoint) => Promise.resolve(describeFigures(figures.get(endpoint.subject))),
  });
  showMethods(methods);
  for (const method of methods) {
    const subject = `${RPC_PREFIX}${method.name}`;
    const name = method.name.replaceAll('.', '-');
    const own: Figures = { requests: 0, faults: 0, inFlight: 0, totalMs: 0 };
    figures.set(subject, own);
    const handler = (error: Error | null, message: ServiceMsg) => {
      if (error) return log.error({ error, method: method.name }, 'a subscription of the service failed');
      const refused = limit.pendingCount >= maxWaiting;
      const maxReplyBytes = (nc.info?.max_payload ?? 1_048_576) - HEADER_BYTES;
      const requestId = header(message, 'request-id') ?? newId();
      const work = inServerSpan({ method: method.name, headers: message.headers, requestId }, (traceId) => {
        const request = { method, message, ports, log, maxReplyBytes, requestId, traceId };
        return refused ? answerOne({ ...request, refused }, own) : limit(() => answerOne(request, own));
      });
      inHand.add(work);
      void work.finally(() => inHand.delete(work));
    };
    service.addEndpoint(name, { subject, handler });
  }
  log.info({ methods: methods.map((method) => method.name), serviceId: service.info().id }, 'requests are answered');

  const ended = await Promise.race([service.stopped, aborted(signal)]);
  if (!signal.aborted) throw ended ?? new Error('the service stopped');
  await service.stop();
  await Promise.all(inHand);
}

interface OneRequest {
  method: Method;
  message: ServiceMsg;
  ports: Ports;
  log: Logger;
  maxReplyBytes: number;
  requestId: string;
  traceId: string | undefined;
  /** Too many wait already. */
  refused?: boolean;
}

/** Answers one request. Never rejects: a handler that does leaves its caller waiting. */
async function answerOne(
  { method, message, ports, log, maxReplyBytes, requestId, traceId, refused }: OneRequest,
  figures: Figures,
): Promise<RpcOutcome> {
  const started = performance.now();
  figures.requests++;
  figures.inFlight++;
  let child: Logger | undefined;
  const call: Call = {
    requestId,
    traceId,
    actorId: header(message, 'actor-id'),
    // Most requests log nothing.
    get log() {
      child ??= log.child({ method: method.name, requestId, ...(traceId === undefined ? {} : { traceId }) });
      return child;
    },
    maxReplyBytes,
  };
  try {
    if (refused) throw new Fault('unavailable', 'too many requests are waiting; try again');
    const reply = await method.handle(message.data, call, ports);
    message.respond(reply, { headers: replyHeaders(requestId) });
    if (log.isLevelEnabled('debug')) {
      call.log.debug({ ms: Math.round(performance.now() - started), bytes: reply.length }, `${method.name} answered`);
    }
    return { code: 'ok' };
  } catch (error) {
    figures.faults++;
    return { code: respondFault(message, call, error), error };
  } finally {
    figures.inFlight--;
    figures.totalMs += performance.now() - started;
  }
}

function respondFault(message: ServiceMsg, call: Call, error: unknown): FaultCode {
  const { fault, id, status, headline, body } = faultReply(error, call.traceId);
  const { jobId } = fault.details;
  const seen = { faultId: id, code: fault.code, ...(jobId === undefined ? {} : { jobId }) };
  call.log[FAULTS[fault.code].logLevel](
    { ...seen, error: fault.cause ?? (fault === error ? undefined : error) },
    fault.message,
  );
  try {
    const carried = replyHeaders(call.requestId);
    carried.set('status', 'error');
    message.respondError(status, headline, JSON.stringify(body), { headers: carried });
  } catch (unsent) {
    call.log.warn({ error: unsent, faultId: id }, 'the error reply could not be sent');
  }
  return fault.code;
}

function replyHeaders(requestId: string): MsgHdrs {
  const carried = headers();
  carried.set('request-id', requestId);
  // The span that answered, for callers who brought no trace.
  injectHeaders(carried);
  return carried;
}

const header = (message: ServiceMsg, name: string): string | undefined =>
  message.headers?.get(name).slice(0, MAX_ECHOED) || undefined;

const describeFigures = (figures: Figures | undefined) =>
  figures && {
    requests: figures.requests,
    faults: figures.faults,
    inFlight: figures.inFlight,
    averageMs: figures.requests === 0 ? 0 : Math.round((figures.totalMs / figures.requests) * 10) / 10,
  };
