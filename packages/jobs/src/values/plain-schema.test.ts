import { expect, it } from 'vitest';
import { z } from 'zod';
import { isPlainSchema } from './plain-schema.ts';

const Tree = z.object({
  name: z.string().min(1),
  get children() {
    return z.array(Tree);
  },
});
const free = z.string().refine(async (text) => text !== 'taken');

it.each([
  [
    'fields with checks',
    z.object({ id: z.uuid(), n: z.int().positive(), tags: z.array(z.string().max(9)).optional() }),
  ],
  ['a schema that is part of itself', Tree],
  [
    'alternatives',
    z.discriminatedUnion('kind', [z.object({ kind: z.literal('a') }), z.looseObject({ kind: z.enum(['b']) })]),
  ],
  ['a record of anything', z.record(z.string(), z.unknown()).nullable()],
])('%s: judged without a promise', (_, schema) => {
  expect(isPlainSchema(schema)).toBe(true);
});

it.each([
  ['a refinement deep inside', z.object({ list: z.array(z.object({ name: free.optional() })) })],
  ['a transform', z.object({ at: z.string().transform((text) => new Date(text)) })],
  ['a check of the author', z.string().check(() => undefined)],
  ['a schema that is made later', z.lazy(() => z.string())],
  ['a default that is asked for', z.object({ at: z.string().default(() => 'now') })],
  ['an author’s own type', z.custom<string>((value) => typeof value === 'string')],
])('%s: may need one', (_, schema) => {
  expect(isPlainSchema(schema)).toBe(false);
});
