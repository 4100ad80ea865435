// Encodes messages in the NATS wire format, one after the other into one buffer. The library makes byte arrays of each
// message's command, headers and payload and copies them together, which costs more than the rest of a publish. Without
// access to the connection's socket (internals.ts) each message is published with the library's own method.
import { errors, type NatsConnection } from '@nats-io/transport-node';
import { headersFromLines, type RawWriter, rawWriterOf } from './internals.ts';

export interface OutgoingMessage {
  subject: string;
  body: string;
  /** Lines `name: value`, each ending with CRLF; the values hold no line breaks. */
  headers?: string | undefined;
  reply?: string | undefined;
}

/** The size of the library's own writes. */
const WRITE_BYTES = 32_768;
const CHUNK_BYTES = 2 * WRITE_BYTES;
const CRLF = '\r\n';
const WHITESPACE = /\s/;

export class MessageFrames {
  readonly #nc: NatsConnection;
  readonly #writer: RawWriter | undefined;
  /** Never overwritten: the socket may still read what was sent. */
  #chunk = Buffer.alloc(0);
  #sentUpTo = 0;
  #end = 0;
  #messages = 0;

  /** @param writer default: the connection's own; undefined publishes with the library's method */
  constructor(nc: NatsConnection, writer: RawWriter | undefined = rawWriterOf(nc)) {
    this.#nc = nc;
    this.#writer = writer;
  }

  /** Adds a message to the next write. @throws as the connection's `publish` does */
  add({ subject, body, headers, reply }: OutgoingMessage): void {
    this.#check(subject);
    if (this.#writer === undefined) {
      this.#nc.publish(subject, body, {
        ...(reply === undefined ? {} : { reply }),
        ...(headers === undefined ? {} : { headers: headersFromLines(headers) }),
      });
      return;
    }
    const to = reply === undefined ? subject : `${subject} ${reply}`;
    const bodyBytes = Buffer.byteLength(body);
    if (headers === undefined) {
      this.#checkSize(bodyBytes);
      this.#write(`PUB ${to} ${bodyBytes}\r\n`, body, bodyBytes);
      return;
    }
    const lines = `NATS/1.0\r\n${headers}\r\n`;
    const headerBytes = Buffer.byteLength(lines);
    const bytes = headerBytes + bodyBytes;
    this.#checkSize(bytes);
    this.#write(`HPUB ${to} ${headerBytes} ${bytes}\r\n${lines}`, body, bodyBytes);
  }

  /** Writes the added messages in this turn of the event loop. */
  send(): void {
    if (this.#end === this.#sentUpTo) return;
    this.#writer?.write(this.#chunk.subarray(this.#sentUpTo, this.#end), this.#messages);
    this.#sentUpTo = this.#end;
    this.#messages = 0;
  }

  #write(head: string, body: string, bodyBytes: number): void {
    const most = 3 * head.length + bodyBytes + CRLF.length;
    if (this.#end + most > this.#chunk.length) {
      this.send();
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, most));
      this.#sentUpTo = 0;
      this.#end = 0;
    }
    this.#end += this.#chunk.write(head, this.#end);
    this.#end += this.#chunk.write(body, this.#end);
    this.#end += this.#chunk.write(CRLF, this.#end, 'latin1');
    this.#messages++;
    if (this.#end - this.#sentUpTo >= WRITE_BYTES) this.send();
  }

  #check(subject: string): void {
    if (this.#nc.isClosed()) throw new errors.ClosedConnectionError();
    if (this.#writer?.isDraining) throw new errors.DrainingConnectionError();
    // Whitespace would start the next part of the command, or the next command.
    if (subject === '' || WHITESPACE.test(subject)) throw new errors.InvalidSubjectError(subject);
  }

  #checkSize(bytes: number): void {
    const { info } = this.#nc;
    if (info !== undefined && bytes > info.max_payload) {
      throw errors.InvalidArgumentError.format('payload', 'max_payload size exceeded');
    }
  }
}
