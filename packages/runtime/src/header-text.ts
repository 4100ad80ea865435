// The headers of a message that is sent, written out: to check, normalize and list names that are known would cost more than
// all the rest of a publish.
import type { MsgHdrs } from '@nats-io/transport-node';

export class HeaderText {
  readonly #lines: string;

  /** @param lines each `name: value` and a line break, the values free of line breaks */
  constructor(lines: string) {
    this.#lines = lines;
  }

  /** Of headers to be sent the library asks for their bytes, and for nothing else. */
  toSend(): MsgHdrs {
    return this as unknown as MsgHdrs;
  }

  encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\n${this.#lines}\r\n`);
  }
}
