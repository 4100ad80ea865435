import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonFieldReader } from './json-fields.ts';

const expected = ['id', 'payload', 'logs', 'toString', 'Zoë'];
const reader = new JsonFieldReader(expected);

/** Value texts by name. */
function read(text: string): Record<string, string> {
  const json = Buffer.from(text);
  reader.read(json);
  const found = [...expected.flatMap((name) => reader.find(name) ?? []), ...reader.unexpected];
  return Object.fromEntries(found.map(({ name, start, end }) => [name, json.toString('utf8', start, end)]));
}

describe('JsonFieldReader', () => {
  test('returns each value exactly as written', () => {
    expect(
      read('{"id": 12345678901234567890, "price":1.10,"e":1E5 , "t":true,"n":null,"s":"a\\"b}","l":[ 1,{"x":"]"} ]}'),
    ).toEqual({
      id: '12345678901234567890',
      price: '1.10',
      e: '1E5',
      t: 'true',
      n: 'null',
      s: '"a\\"b}"',
      l: '[ 1,{"x":"]"} ]',
    });
  });

  test('reads names with escapes and any letters, an empty object, and a byte order mark', () => {
    expect(read('\ufeff{"pay\\u006coad":1,"Zoë":2,"a\\\\":3,"":4}')).toEqual({
      payload: '1',
      Zoë: '2',
      'a\\': '3',
      '': '4',
    });
    expect(read(' { } ')).toEqual({});
  });

  test('separates expected and unexpected fields, and drops those of the previous object', () => {
    read('{"id":1,"logs":[],"other":2}');
    reader.read(Buffer.from('{"payload":{"id":3},"more":4}'));
    expect(reader.find('id')).toBeUndefined();
    expect(reader.find('payload')).toMatchObject({ start: 11, end: 19 });
    expect(reader.unexpected.map(({ name }) => name)).toEqual(['more']);
  });

  test('takes the last one of duplicate names', () => {
    expect(read('{"a":1,"b":2,"a":{"c":3}}')).toEqual({ a: '{"c":3}', b: '2' });
  });

  test('agrees with JSON.parse on any object with any whitespace', () => {
    const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 5 }), fc.constantFrom(...expected));
    const object = fc.dictionary(name, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 8 });
    const spacing = fc.constantFrom(0, 1, '\t', '\r\n ');
    fc.assert(
      fc.property(object, spacing, (value, space) => {
        const text = JSON.stringify(value, null, space);
        const values = Object.entries(read(text)).map(([key, part]) => [key, JSON.parse(part)]);
        expect(Object.fromEntries(values)).toEqual(JSON.parse(text));
      }),
    );
  });
});
