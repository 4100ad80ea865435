// Writes values in ClickHouse's RowBinary format, compressed in chunks. journal-row.ts knows the columns. The format passes any
// bytes unchanged and needs no parsing, so the server cannot refuse any content.
import { constants, zstdCompressSync } from 'node:zlib';

/** Size of a chunk before compression. */
const CHUNK_BYTES = 256 * 1024;
/** The fastest level; compresses JSON and ids to a third. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Longest text whose length prefix always is one byte: UTF-8 takes at most three bytes for each UTF-16 unit. */
const SHORT_TEXT = 42;

export class RowBinaryWriter {
  /** Bytes written so far, before compression. */
  bytes = 0;
  readonly #compressed: Buffer[] = [];
  /** Values not compressed yet; reused for every chunk. */
  #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #at = 0;

  /** Everything written so far, in order, as zstd frames. Writing can continue afterwards. */
  frames(): Buffer[] {
    return this.#at === 0 ? [...this.#compressed] : [...this.#compressed, this.#frame()];
  }

  #frame(): Buffer {
    return zstdCompressSync(this.#buffer.subarray(0, this.#at), LEVEL);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    if (this.#at > 0) this.#compressed.push(this.#frame());
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(bytes);
    this.#at = 0;
  }

  #wrote(bytes: number): void {
    this.#at += bytes;
    this.bytes += bytes;
  }

  #length(bytes: number): void {
    let rest = bytes;
    while (rest >= 0x80) {
      this.#buffer[this.#at] = (rest & 0x7f) | 0x80;
      this.#wrote(1);
      rest >>>= 7;
    }
    this.#buffer[this.#at] = rest;
    this.#wrote(1);
  }

  bool(value: boolean): void {
    this.#reserve(1);
    this.#buffer[this.#at] = value ? 1 : 0;
    this.#wrote(1);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#buffer.writeUInt32LE(value, this.#at);
    this.#wrote(4);
  }

  /** A 64-bit integer of at most 2^53 in magnitude. */
  int64(value: number): void {
    this.#reserve(8);
    this.#buffer.writeUInt32LE(value >>> 0, this.#at);
    this.#buffer.writeInt32LE(Math.floor(value / 0x1_0000_0000), this.#at + 4);
    this.#wrote(8);
  }

  /** The null flag in front of the value of a Nullable column. */
  isNull(value: boolean): void {
    this.bool(value);
  }

  text(value: string | undefined): void {
    if (value === undefined || value.length === 0) {
      this.bool(false);
    } else if (value.length <= SHORT_TEXT) {
      this.#reserve(1 + 3 * value.length);
      const written = this.#buffer.write(value, this.#at + 1);
      this.#buffer[this.#at] = written;
      this.#wrote(1 + written);
    } else {
      const bytes = Buffer.byteLength(value);
      this.#reserve(5 + bytes);
      this.#length(bytes);
      this.#buffer.write(value, this.#at);
      this.#wrote(bytes);
    }
  }

  /** The bytes of `data` from `start` to before `end`, unchanged. */
  raw(data: Uint8Array, start = 0, end = data.length): void {
    const bytes = end - start;
    this.#reserve(5 + bytes);
    this.#length(bytes);
    this.#buffer.set(start === 0 && end === data.length ? data : data.subarray(start, end), this.#at);
    this.#wrote(bytes);
  }
}
