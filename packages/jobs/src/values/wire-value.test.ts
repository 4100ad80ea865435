import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { errorText, storableText, toWire } from './wire-value.ts';

it('a value passes as what its reader will see', async () => {
  const schema = z.object({ n: z.number(), at: z.string(), extra: z.string().default('x') });
  expect(await toWire(schema, 'payload', { n: 1, at: '2026', other: undefined })).toEqual({
    kind: 'ok',
    wire: { n: 1, at: '2026' },
    parsed: { n: 1, at: '2026', extra: 'x' },
  });
});

describe('what does not survive JSON is refused, naming the field', () => {
  it.each([
    ['a date that JSON makes a text', z.object({ at: z.date() }), { at: new Date(0) }, 'payload.at'],
    ['a number that JSON makes null', z.object({ n: z.number() }), { n: Number.NaN }, 'payload.n'],
    ['a big integer', z.object({ n: z.bigint() }), { n: 1n }, 'payload'],
    [
      'a nested field',
      z.object({ items: z.array(z.object({ sku: z.string() })) }),
      { items: [{ sku: 1 }] },
      'payload.items.0.sku',
    ],
  ])('%s', async (_, schema, value, field) => {
    expect(await toWire(schema, 'payload', value)).toMatchObject({ kind: 'refused', field });
  });
});

it('a check that asks elsewhere is awaited', async () => {
  const schema = z.string().refine(async (text) => text !== 'taken', 'is taken');
  expect(await toWire(schema, 'payload', 'taken')).toMatchObject({ kind: 'refused', problem: 'is taken' });
});

it('a schema that asks elsewhere about some values only is awaited for those', async () => {
  const free = z.string().refine(async (text) => text !== 'taken', 'is taken');
  const schema = z.object({ name: free.optional() });
  for (const [value, kind] of [
    [{}, 'ok'],
    [{ name: 'free' }, 'ok'],
    [{}, 'ok'],
    [{ name: 'taken' }, 'refused'],
  ]) {
    expect(await toWire(schema, 'payload', value)).toMatchObject({ kind });
  }
});

it('error texts can be stored', () => {
  expect(storableText('a\u0000b\uD800c')).toBe('a\uFFFDb\uFFFDc');
  expect(storableText('x'.repeat(9_000))).toMatch(/^x{8000}… \(1000 more characters\)$/);
  expect(errorText(new Error('refused', { cause: new Error('no stock') }))).toBe('refused (cause: no stock)');
  expect(errorText(new TypeError(''))).toBe('TypeError');
  expect(errorText('plain')).toBe('plain');
  expect(errorText({ code: 7 })).toBe('thrown: {"code":7}');
});
