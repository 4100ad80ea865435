// Encodes values as a PostgreSQL array in binary format, for a statement parameter: no quoting here, no parsing by the server.
import { millisOf } from '@trellis/contracts';

/** Object ids (OIDs) of the element types; the same in every PostgreSQL. */
const ELEMENT = { text: 25, bigint: 20, boolean: 16, timestamptz: 1184, jsonb: 3802 } as const;
const HEADER_BYTES = 20;
const NULL_LENGTH = -1;
const JSONB_VERSION = 1;
/** 2000-01-01, from which PostgreSQL counts microseconds, in milliseconds since 1970. */
const EPOCH_MS = Date.UTC(2000);
const TWO_32 = 2 ** 32;
/** Longest text, in UTF-16 units, that is written before its bytes are counted. */
const SHORT_TEXT = 256;
/** A byte that never occurs in UTF-8. */
const INVALID_BYTE = 0xff;
/** An instant that PostgreSQL refuses as out of range: the second greatest number, because the greatest means infinity. */
const INVALID_INSTANT = [0x7fff_ffff, 0xffff_fffe] as const;

export class BinaryArray {
  readonly #element: keyof typeof ELEMENT;
  #bytes: Buffer;
  #at = HEADER_BYTES;
  #elements = 0;

  /** @param expectedBytes size of all elements together; the array grows when they need more */
  constructor(element: keyof typeof ELEMENT, expectedBytes: number) {
    this.#element = element;
    this.#bytes = Buffer.allocUnsafe(HEADER_BYTES + expectedBytes);
  }

  /** The encoded array. Nothing can be added afterwards. */
  toParameter(): Buffer {
    const bytes = this.#bytes;
    // One dimension, perhaps with nulls, from subscript 1.
    bytes.writeInt32BE(1, 0);
    bytes.writeInt32BE(1, 4);
    bytes.writeInt32BE(ELEMENT[this.#element], 8);
    bytes.writeInt32BE(this.#elements, 12);
    bytes.writeInt32BE(1, 16);
    return bytes.subarray(0, this.#at);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#at;
  }

  null(): void {
    this.#startElement(0);
    this.#at = this.#bytes.writeInt32BE(NULL_LENGTH, this.#at);
  }

  /** Adds a text. Text that is not valid Unicode stays invalid, so that PostgreSQL refuses it. */
  text(value: string): void {
    const start = this.#at + 4;
    this.#text(value, 0);
    if (!value.isWellFormed()) this.#bytes[start] = INVALID_BYTE;
  }

  /** @param text JSON */
  jsonb(text: string): void {
    this.#text(text, 1);
  }

  /** A whole number of at most 53 bits. */
  bigint(value: number): void {
    this.#startElement(8);
    this.#at = this.#bytes.writeInt32BE(8, this.#at);
    this.#int64(Math.floor(value / TWO_32), value >>> 0);
  }

  boolean(value: boolean): void {
    this.#startElement(1);
    this.#at = this.#bytes.writeInt32BE(1, this.#at);
    this.#bytes[this.#at++] = value ? 1 : 0;
  }

  /** @param instant RFC 3339 UTC; PostgreSQL refuses anything else */
  timestamptz(instant: string): void {
    this.#startElement(8);
    this.#at = this.#bytes.writeInt32BE(8, this.#at);
    // In two halves of 32 bits: a double cannot hold the microseconds of distant years.
    const millis = millisOf(instant) - EPOCH_MS;
    if (Number.isNaN(millis)) {
      this.#int64(...INVALID_INSTANT);
      return;
    }
    const high = Math.floor(millis / TWO_32);
    const low = (millis - high * TWO_32) * 1_000;
    const carried = Math.floor(low / TWO_32);
    this.#int64(high * 1_000 + carried, low - carried * TWO_32);
  }

  #int64(high: number, low: number): void {
    this.#at = this.#bytes.writeInt32BE(high, this.#at);
    this.#at = this.#bytes.writeUInt32BE(low, this.#at);
  }

  #text(value: string, versionBytes: number): void {
    const room = value.length <= SHORT_TEXT ? 3 * value.length : Buffer.byteLength(value);
    this.#startElement(versionBytes + room);
    const start = this.#at + 4;
    if (versionBytes > 0) this.#bytes[start] = JSONB_VERSION;
    const written = versionBytes + this.#bytes.write(value, start + versionBytes);
    this.#bytes.writeInt32BE(written, this.#at);
    this.#at = start + written;
  }

  /** Starts an element and makes room for `bytes` bytes of it. */
  #startElement(bytes: number): void {
    this.#elements++;
    const wanted = this.#at + 4 + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
