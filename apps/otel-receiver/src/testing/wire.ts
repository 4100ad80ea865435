// For tests: protobuf written byte by byte from the numbers in the specification, so that no mistake of ours in otlp.proto can
// cancel itself out.

type Bytes = Uint8Array;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

const key = (field: number, wireType: number) => varint(field * 8 + wireType);

/** A message, bytes, or a text. */
export const sized = (field: number, value: Bytes | string): Bytes => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.from([...key(field, 2), ...varint(bytes.length), ...bytes]);
};

export const number = (field: number, value: number): Bytes => Buffer.from([...key(field, 0), ...varint(value)]);

export const fixed64 = (field: number, value: bigint): Bytes => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.from([...key(field, 1), ...bytes]);
};

export const fixed32 = (field: number, value: number): Bytes => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return Buffer.from([...key(field, 5), ...bytes]);
};

export const message = (...fields: Bytes[]): Bytes => Buffer.concat(fields);

/** One KeyValue with a text. */
export const attribute = (name: string, value: string): Bytes =>
  message(sized(1, name), sized(2, message(sized(1, value))));
