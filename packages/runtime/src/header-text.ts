// The headers of a message that is sent, written out: to check, normalize and list names that are known would cost more than
// all the rest of a publish.
import { MsgHdrsImpl } from '@nats-io/transport-node';

export class HeaderText extends MsgHdrsImpl {
  readonly #lines: string;

  /** @param lines each `name: value` and a line break, the values free of line breaks */
  constructor(lines: string) {
    super();
    this.#lines = lines;
  }

  override encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\n${this.#lines}\r\n`);
  }
}
