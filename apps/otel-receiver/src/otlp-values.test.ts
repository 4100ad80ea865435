import { expect, it } from 'vitest';
import type { AnyValue } from './otlp-request.ts';
import { attributesOf, hexId, nanosOf, valueText } from './otlp-values.ts';

it.for<[AnyValue | undefined, string]>([
  [{ stringValue: 'text' }, 'text'],
  [{ stringValue: '' }, ''],
  [{ boolValue: false }, 'false'],
  [{ intValue: '9223372036854775807' }, '9223372036854775807'],
  [{ intValue: -5n }, '-5'],
  [{ doubleValue: 0.5 }, '0.5'],
  [{ doubleValue: 'NaN' }, 'NaN'],
  [{ doubleValue: Number.POSITIVE_INFINITY }, 'Infinity'],
  [{ bytesValue: Buffer.from([1, 2, 255]) }, 'AQL/'],
  [{ bytesValue: 'AQL/' }, 'AQL/'],
  [{ arrayValue: { values: [{ stringValue: 'a' }, { intValue: 1n }, {}] } }, '["a",1,null]'],
  [
    { kvlistValue: { values: [{ key: 'k', value: { arrayValue: { values: [{ boolValue: true }] } } }] } },
    '{"k":[true]}',
  ],
  [{ arrayValue: {} }, '[]'],
  [{}, ''],
  [undefined, ''],
])('%o is kept as %s', ([value, text]) => {
  expect(valueText(value)).toBe(text);
});

it('keeps the last of two attributes with one name', () => {
  expect(
    attributesOf([
      { key: 'a', value: { stringValue: '1' } },
      { key: 'a', value: { stringValue: '2' } },
    ]),
  ).toEqual({
    a: '2',
  });
});

it.for<[string | Uint8Array<ArrayBuffer> | undefined, string | undefined]>([
  ['00F067AA0BA902B7', '00f067aa0ba902b7'],
  [Buffer.from('00f067aa0ba902b7', 'hex'), '00f067aa0ba902b7'],
  ['0000000000000000', undefined],
  ['00f067aa0ba902', undefined],
  ['00f067aa0ba902bx', undefined],
  [new Uint8Array(), undefined],
  [undefined, undefined],
])('the span id %s is read as %s', ([id, hex]) => {
  expect(hexId(id, 8)).toBe(hex);
});

it('takes times that every column can hold, and no others', () => {
  expect(nanosOf('1700000000123456789')).toBe(1_700_000_000_123_456_789n);
  expect(nanosOf(1_700_000_000)).toBe(1_700_000_000n);
  for (const time of [undefined, 0, '0', -1, 1.5, '18446744073709551615']) expect(nanosOf(time)).toBeUndefined();
});
