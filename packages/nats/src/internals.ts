// Everything that relies on parts of the NATS library that its public types do not show. Each use has a plain fallback on
// the public API. internals.int.test.ts fails when an upgrade of the library changes these parts.
import type { ConsumeOptions, Consumer, ConsumerMessages, FetchOptions, JsMsg } from '@nats-io/jetstream';
import {
  headers,
  type MsgHdrs,
  MsgHdrsImpl,
  type NatsConnection,
  type NatsConnectionImpl,
} from '@nats-io/transport-node';

/** Writes bytes of the NATS protocol to the connection. */
export interface RawWriter {
  /** Whether the connection takes no further messages. */
  readonly isDraining: boolean;
  /** Writes `messages` complete messages. The bytes must not change until the socket has taken them. */
  write(bytes: Uint8Array, messages: number): void;
}

interface RawProtocol {
  noMorePublishing: boolean;
  outMsgs: number;
  outBytes: number;
  sendCommand(bytes: Uint8Array): void;
}

/** Undefined when the connection is not built as expected; then publish with its public methods. */
export function rawWriterOf(nc: NatsConnection): RawWriter | undefined {
  const { protocol } = nc as Partial<Pick<NatsConnectionImpl, 'protocol'>> & NatsConnection;
  if (!isRawProtocol(protocol)) return undefined;
  return {
    get isDraining() {
      return protocol.noMorePublishing;
    },
    write(bytes, messages) {
      protocol.outMsgs += messages;
      protocol.outBytes += bytes.length;
      protocol.sendCommand(bytes);
    },
  };
}

function isRawProtocol(protocol: unknown): protocol is RawProtocol {
  if (typeof protocol !== 'object' || protocol === null) return false;
  const { noMorePublishing, outMsgs, outBytes, sendCommand } = protocol as Record<string, unknown>;
  return (
    typeof noMorePublishing === 'boolean' &&
    typeof outMsgs === 'number' &&
    typeof outBytes === 'number' &&
    typeof sendCommand === 'function'
  );
}

/** The connection's own inbox prefix; undefined where it has none, or does not show it. */
export const inboxPrefixOf = (nc: NatsConnection): string | undefined =>
  (nc as Partial<Pick<NatsConnectionImpl, 'options'>>).options?.inboxPrefix;

/** The subject on which a JetStream message is acknowledged; undefined where the message does not show it. */
export function ackSubjectOf(message: JsMsg): string | undefined {
  const { reply } = message as { reply?: unknown };
  return typeof reply === 'string' && reply !== '' ? reply : undefined;
}

/** Headers as they are stored: the bytes of `NATS/1.0` and its lines. */
export const decodeHeaders = (bytes: Uint8Array): MsgHdrs => MsgHdrsImpl.decode(bytes);

/** Lines `name: value`, each ending with CRLF, as headers of the library. */
export function headersFromLines(lines: string): MsgHdrs {
  const made = headers();
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) made.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return made;
}

/**
 * Fetches with a callback for each message. The library's `fetch` takes the callback, as its `consume` does, although its
 * type does not say so; iterating instead makes promises for each message.
 * @returns the pull, whose `closed()` resolves at its end
 */
export async function fetchEach(
  consumer: Consumer,
  options: FetchOptions,
  callback: (message: JsMsg) => void,
): Promise<ConsumerMessages> {
  const withCallback: FetchOptions & Pick<ConsumeOptions, 'callback'> = { ...options, callback };
  const messages = await consumer.fetch(withCallback);
  if (!takesCallback(messages)) void iterate(messages, callback);
  return messages;
}

const takesCallback = (messages: ConsumerMessages): boolean =>
  typeof (messages as { callback?: unknown }).callback === 'function';

async function iterate(messages: ConsumerMessages, callback: (message: JsMsg) => void): Promise<void> {
  for await (const message of messages) callback(message);
}
