import { expect, it } from 'vitest';
import { JsonArrayBuffer } from './json-array-buffer.ts';

const read = (bytes: Buffer) => JSON.parse(bytes.toString());

it('encodes rows of any size and alphabet as one JSON array, repeatedly into the same memory', () => {
  const buffer = new JsonArrayBuffer();
  const many = Array.from({ length: 5_000 }, (_, index) => ({ index, text: 'żółć 漢字 🚀 "\\\n' }));
  const large = [{ text: '漢'.repeat(200_000) }, { text: 'end' }];
  for (const rows of [[], [{ a: 1 }], many, large, [{ a: undefined, b: null }], []]) {
    expect(read(buffer.encode(rows))).toEqual(JSON.parse(JSON.stringify(rows)));
  }
  expect(buffer.encode(many).buffer).toBe(buffer.encode(large).buffer);
});
