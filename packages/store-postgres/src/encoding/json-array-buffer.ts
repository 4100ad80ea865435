// Encodes many small rows as one JSON array into a reused buffer. Strings of megabytes in every flush would be garbage that
// only a full garbage collection removes.

const FIRST_BYTES = 65_536;

export class JsonArrayBuffer {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);

  /** The rows as a statement parameter; valid until the next call. */
  encode(rows: Iterable<object>): Buffer {
    let end = 0;
    const add = (text: string) => {
      // UTF-8 takes at most three bytes for each UTF-16 unit.
      this.#reserve(end, end + 3 * text.length);
      end += this.#bytes.write(text, end);
    };
    for (const row of rows) add((end === 0 ? '[' : ',') + JSON.stringify(row));
    add(end === 0 ? '[]' : ']');
    return this.#bytes.subarray(0, end);
  }

  #reserve(used: number, wanted: number): void {
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * wanted);
    this.#bytes.copy(larger, 0, 0, used);
    this.#bytes = larger;
  }
}
