// A NATS connection that continues the trace in what is sent with it: a span for each publish and request, and that span's
// context in the message's headers. JetStream's own traffic and answers ($JS.…, _INBOX.…) pass without a span.
import { headers, type MsgHdrs, type NatsConnection, type PublishOptions } from '@nats-io/transport-node';
import { type Attributes, type Context, context, SpanKind, trace } from '@opentelemetry/api';
import { ATTR, MESSAGING_SYSTEM, spanName } from '@trellis/contracts';
import { failSpan, injectHeaders } from '@trellis/instrumentation';

const TRACER = 'trellis.nats';

/**
 * The same connection with `publish`, `request` and `requestMany` traced; closing one closes both.
 * @param otherwise continued when no span is active, for instance because the process has no SDK
 */
export function tracedConnection(nc: NatsConnection, otherwise: Context = context.active()): NatsConnection {
  const parent = () => (trace.getSpan(context.active()) ? context.active() : otherwise);
  const traced: Pick<NatsConnection, 'publish' | 'request' | 'requestMany'> = {
    publish(subject, payload, options) {
      const sending = startSending('publish', subject, parent());
      try {
        nc.publish(subject, payload, carrying<PublishOptions>(options, sending.context));
      } catch (error) {
        sending.fail(error);
        throw error;
      }
      sending.end();
    },
    async request(subject, payload, options = { timeout: 1_000 }) {
      const sending = startSending('request', subject, parent());
      return sending.during(nc.request(subject, payload, carrying(options, sending.context)));
    },
    async requestMany(subject, payload, options) {
      const sending = startSending('request', subject, parent());
      return sending.during(nc.requestMany(subject, payload, carrying(options, sending.context)));
    },
  };
  return new Proxy(nc, {
    get(target, property) {
      if (property in traced) return traced[property as keyof typeof traced];
      const value: unknown = Reflect.get(target, property);
      // Private fields are the connection's, not the proxy's.
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Sending {
  /** What the receiver continues. */
  context: Context;
  end(): void;
  fail(error: unknown): void;
  during<Reply>(reply: Promise<Reply>): Promise<Reply>;
}

function startSending(operation: 'publish' | 'request', subject: string, parent: Context): Sending {
  if (subject.startsWith('$') || subject.startsWith('_INBOX.')) {
    return { context: parent, end() {}, fail() {}, during: (reply) => reply };
  }
  const kind = operation === 'publish' ? SpanKind.PRODUCER : SpanKind.CLIENT;
  const attributes: Attributes = {
    [ATTR.messagingSystem]: MESSAGING_SYSTEM,
    [ATTR.messagingOperationName]: operation,
    [ATTR.messagingOperationType]: 'send',
    [ATTR.messagingDestination]: subject,
  };
  const span = trace
    .getTracer(TRACER)
    .startSpan(spanName(operation, withoutIds(subject)), { kind, attributes }, parent);
  const fail = (error: unknown) => {
    failSpan(span, error);
    span.end();
  };
  return {
    context: trace.setSpan(parent, span),
    end: () => span.end(),
    fail,
    async during(reply) {
      try {
        const answer = await reply;
        span.end();
        return answer;
      } catch (error) {
        fail(error);
        throw error;
      }
    },
  };
}

/** The options with headers that carry the context; the caller's headers stay as they are. */
function carrying<Options extends { headers?: MsgHdrs }>(options: Options | undefined, from: Context): Options {
  const carried = headers();
  for (const [key, values] of options?.headers ?? []) for (const value of values) carried.append(key, value);
  injectHeaders(carried, from);
  return (carried.keys().length === 0 ? { ...options } : { ...options, headers: carried }) as Options;
}

/** Names of spans hold no ids, and tokens with digits most often are some. */
const withoutIds = (subject: string): string => subject.replace(/[^.]*\d[^.]*/g, '*');
