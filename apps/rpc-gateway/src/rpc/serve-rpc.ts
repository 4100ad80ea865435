// The methods as a NATS service: one endpoint each, discoverable by $SRV.PING/INFO/STATS, a bounded number of requests
// in flight, and a reply to every request.
import { type ServiceMsg, Svcm } from '@nats-io/services';
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { aborted, type Logger, Semaphore } from '@trellis/async';
import { FAULTS, Fault, type FaultCode, newId, RPC_PREFIX } from '@trellis/contracts';
import { injectHeaders } from '@trellis/instrumentation';
import { faultReply } from './fault-reply.ts';
import type { Call, Method, Ports } from './method.ts';
import { inServerSpan, RpcFigures, type RpcOutcome, showFigures } from './rpc-telemetry.ts';

const SERVICE_NAME = 'trellis-jobs';
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

/**
 * Serves until `signal` aborts, then takes no further requests and waits for the replies in flight.
 * @throws Error when the service ends by itself: the framework stops when one of its subscriptions does
 */
export async function serveUntilStopped(options: RpcServiceOptions, signal: AbortSignal): Promise<void> {
  const { nc, methods, log, maxConcurrent, maxWaiting } = options;
  const permits = new Semaphore(maxConcurrent);
  const inHand = new Set<Promise<void>>();
  const figures = new Map(methods.map(({ name }) => [`${RPC_PREFIX}${name}`, new RpcFigures(name)]));

  const service = await new Svcm(nc).add({
    name: SERVICE_NAME,
    version: SERVICE_VERSION,
    description: 'The jobs admin RPCs (trellis.jobs@v1)',
    queue: QUEUE_GROUP,
    // The framework measures only the synchronous part of a handler.
    statsHandler: (endpoint) => Promise.resolve(describeFigures(figures.get(endpoint.subject))),
  });
  using _shown = showFigures([...figures.values()]);
  for (const method of methods) {
    const subject = `${RPC_PREFIX}${method.name}`;
    const name = method.name.replaceAll('.', '-');
    const own = figures.get(subject) ?? new RpcFigures(method.name);
    const handler = (error: Error | null, message: ServiceMsg) => {
      if (error) return log.error({ error, method: method.name }, 'a subscription of the service failed');
      const full = permits.waiting >= maxWaiting;
      const requestId = header(message, 'request-id') ?? newId();
      const work = inServerSpan({ figures: own, headers: message.headers, requestId }, (traceId) =>
        answerOne({ method, message, options, requestId, traceId, permits: full ? undefined : permits }),
      );
      inHand.add(work);
      void work.then(() => inHand.delete(work));
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
  options: RpcServiceOptions;
  requestId: string;
  traceId: string | undefined;
  /** Undefined: too many requests wait already. */
  permits: Semaphore | undefined;
}

/** Replies to one request. Never rejects: a rejection would leave the caller without a reply. */
async function answerOne({ method, message, options, requestId, traceId, permits }: OneRequest): Promise<RpcOutcome> {
  const { nc, ports, log } = options;
  const started = performance.now();
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
    maxReplyBytes: (nc.info?.max_payload ?? 1_048_576) - HEADER_BYTES,
  };
  const acquired = permits?.acquire();
  if (acquired instanceof Promise) await acquired;
  try {
    if (!permits) throw new Fault('unavailable', 'too many requests are waiting; try again');
    const reply = await method.handle(message.data, call, ports);
    message.respond(reply, { headers: replyHeaders(requestId) });
    if (log.isLevelEnabled('debug')) {
      call.log.debug({ ms: Math.round(performance.now() - started), bytes: reply.length }, `${method.name} answered`);
    }
    return { code: 'ok' };
  } catch (error) {
    return { code: respondFault(message, call, error), error };
  } finally {
    permits?.release();
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
  carried.append('request-id', requestId);
  // The span that answered, for callers who brought no trace.
  injectHeaders(carried);
  return carried;
}

const header = (message: ServiceMsg, name: string): string | undefined =>
  message.headers?.get(name).slice(0, MAX_ECHOED) || undefined;

const describeFigures = (figures: RpcFigures | undefined) =>
  figures && {
    requests: figures.started,
    faults: figures.answered - figures.ended.ok,
    inFlight: figures.started - figures.answered,
    averageMs: figures.answered === 0 ? 0 : Math.round((figures.totalMs / figures.answered) * 10) / 10,
  };
