import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkTemplate, hashOfKey, resolveKey } from './key-template.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

it('the key of the protocol: texts and pointers, joined with ":" for the eye, hashed with their types', () => {
  const resolved = resolveKey(['zendesk', '/origin', 'tickets'], { origin: 'foo' });
  expect(resolved).toEqual({
    kind: 'ok',
    key: 'zendesk:foo:tickets',
    keyHash: sha256('{"version":1,"segments":["zendesk","foo","tickets"]}'),
  });
});

describe('golden vectors: hashes that every implementation must find', () => {
  it.each<[(string | number | boolean)[], string]>([
    [['zendesk', 'foo', 'tickets'], 'f1385345e0e6ae009c5b3feb181a545c202beb7461d1dd19ff3390bc14bc1968'],
    [['1'], '5bb2b92023e97e5ec0be6af6b9cfb60c7400dd592beae087a268bf34c7f4f039'],
    [[1], '8eed557bb37e7880695bbf53d4ad0d8dcbd6d96a4735dd86cc7813a74c8bef2b'],
    [[true], 'af1b3f99ee0217e3e2dcf6bf22fb29654280bcde46ddfe55a93a336b041a5225'],
    [['a:b', 'c'], '01dcef0a756e9178977200c82c32548d3fc6074a7eec0855389ea41f27f4b065'],
    [['a', 'b:c'], '2f686b3f75fb933fd9c4cca247683d0fda7d496c672c8e626bda950dcda9b8bb'],
    [['grün "ß" 日本'], '6950384efa741b09bcf1f46c84a6d570c7e56057e7ab68e84add0039f46511e6'],
    [[1.5, -3, 1e21], '8836cf3d0e2d283532a9314c0b3af8b4de41d1ff6c1c2c51ea1802187e4d4da9'],
  ])('%j', (segments, hash) => {
    expect(hashOfKey(segments)).toBe(hash);
  });
});

it('pointers reach into objects and lists, with escapes', () => {
  const payload = { 'a/b': { 'c~d': [{ id: 7 }] }, on: false };
  expect(resolveKey(['/a~1b/c~0d/0/id', '/on'], payload)).toMatchObject({ kind: 'ok', key: '7:false' });
});

it.each([
  [{}, 'nothing'],
  [{ origin: null }, 'null'],
  [{ origin: ['x'] }, 'a list'],
  [{ origin: { x: 1 } }, 'object'],
  ['text', 'nothing'],
])('what is no text, number or boolean is refused by its path: %j', (payload, found) => {
  const resolved = resolveKey(['k', '/origin'], payload);
  expect(resolved).toMatchObject({ kind: 'refused', field: 'payload.origin', problem: expect.stringContaining(found) });
});

it('inherited properties are no values', () => {
  expect(resolveKey(['/constructor/name'], {}).kind).toBe('refused');
});

it.each(['/a~2', '/~'])('%s is no JSON Pointer', (segment) => {
  expect(() => checkTemplate(['ok', segment], 'keyConcurrency.key')).toThrow('keyConcurrency.key.1: ');
});
