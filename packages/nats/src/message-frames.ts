// Messages written out as they go over the wire, one after the other into one piece of memory. The library makes byte arrays of
// each one's command, headers and payload and copies them together, which costs more than all the rest of a publish.
import { errors, type NatsConnection, type NatsConnectionImpl } from '@nats-io/transport-node';

export interface OutgoingMessage {
  subject: string;
  body: string;
  /** Each `name: value` and a line break, the values free of line breaks. */
  headers?: string | undefined;
  reply?: string | undefined;
}

/** Pieces as large as the library's own writes. */
const WRITE_BYTES = 32_768;
const CHUNK_BYTES = 2 * WRITE_BYTES;
const CRLF = '\r\n';
const WHITESPACE = /\s/;

export class MessageFrames {
  // The library's own type of a connection leaves out what it is made of.
  readonly #nc: NatsConnectionImpl;
  /** What was sent is read from it until the socket has taken it: nothing is written over. */
  #chunk = Buffer.alloc(0);
  #sentUpTo = 0;
  #end = 0;
  #messages = 0;

  constructor(nc: NatsConnection) {
    this.#nc = nc as NatsConnectionImpl;
  }

  /** Adds a message to what is sent next. @throws as the connection's `publish` does */
  add({ subject, body, headers, reply }: OutgoingMessage): void {
    this.#check(subject);
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

  /** Hands over what was added, to be written in this turn of the event loop. */
  send(): void {
    if (this.#end === this.#sentUpTo) return;
    const { protocol } = this.#nc;
    protocol.outMsgs += this.#messages;
    protocol.outBytes += this.#end - this.#sentUpTo;
    protocol.sendCommand(this.#chunk.subarray(this.#sentUpTo, this.#end));
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
    if (this.#nc.protocol.noMorePublishing) throw new errors.DrainingConnectionError();
    // It would be read as the next part of the command, or as the next command.
    if (subject === '' || WHITESPACE.test(subject)) throw new errors.InvalidSubjectError(subject);
  }

  #checkSize(bytes: number): void {
    const { info } = this.#nc;
    if (info !== undefined && bytes > info.max_payload) {
      throw errors.InvalidArgumentError.format('payload', 'max_payload size exceeded');
    }
  }
}
