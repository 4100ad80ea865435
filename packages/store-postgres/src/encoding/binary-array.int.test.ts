import { freshPostgres } from '@trellis/test-support';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgres, type Postgres } from '../connection/open-postgres.ts';
import { BinaryArray } from './binary-array.ts';

const stack = new AsyncDisposableStack();
let postgres: Postgres;
beforeAll(async () => {
  postgres = stack.use(openPostgres({ url: stack.use(await freshPostgres()).url }));
});
afterAll(() => stack.disposeAsync());

const readBack = async <Value>(array: BinaryArray, type: string) =>
  (
    await postgres.query<{ value: Value }>(`select value from unnest($1::${type}[]) as value`, [array.toParameter()])
  ).rows.map(({ value }) => value);

/** Any text that Postgres stores: no NUL, no lone surrogate. */
const anyText = fc.string({ unit: 'binary', maxLength: 600 }).map((text) => text.replaceAll('\0', ''));

describe('an array in binary format', () => {
  it('is read back unchanged, with nulls and of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(anyText), { maxLength: 50 }), async (values) => {
        const texts = new BinaryArray('text', 0);
        const documents = new BinaryArray('jsonb', 10);
        for (const value of values) {
          if (value === null) {
            texts.null();
            documents.null();
          } else {
            texts.text(value);
            documents.jsonb(JSON.stringify({ value }));
          }
        }
        expect(await readBack(texts, 'text')).toEqual(values);
        expect(await readBack(documents, 'jsonb')).toEqual(values.map((value) => (value === null ? null : { value })));
      }),
      { numRuns: 40 },
    );
  });

  it('holds whole numbers of 53 bits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.maxSafeInteger(), { minLength: 1 }), async (values) => {
        const array = new BinaryArray('bigint', 0);
        for (const value of values) array.bigint(value);
        expect(await readBack(array, 'bigint')).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });

  it('holds instants of the years 1 to 9999 to the millisecond', async () => {
    const years = {
      min: new Date('0001-01-01T00:00:00.000Z'),
      max: new Date('9999-12-31T23:59:59.999Z'),
      noInvalidDate: true,
    };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.date(years), { minLength: 1 }), async (dates) => {
        const array = new BinaryArray('timestamptz', 0);
        for (const date of dates) array.timestamptz(date.toISOString());
        expect(await readBack(array, 'timestamptz')).toEqual(dates.map((date) => date.toISOString()));
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['a lone surrogate', 'text', '22021', (array: BinaryArray) => array.text('a\ud800')],
    ['a NUL character', 'text', '22021', (array: BinaryArray) => array.text('a\0')],
    ['an instant that is none', 'timestamptz', '22008', (array: BinaryArray) => array.timestamptz('some day')],
  ] as const)('is refused with %s', async (_what, type, code, write) => {
    const array = new BinaryArray(type, 0);
    write(array);
    await expect(readBack(array, type)).rejects.toMatchObject({ code });
  });

  it('holds booleans', async () => {
    const array = new BinaryArray('boolean', 0);
    for (const value of [true, false, true]) array.boolean(value);
    array.null();
    expect(await readBack(array, 'boolean')).toEqual([true, false, true, null]);
  });
});
