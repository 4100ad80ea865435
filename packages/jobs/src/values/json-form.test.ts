import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonForm } from './json-form.ts';

const throughJson = (value: unknown): unknown => {
  const text: string | undefined = JSON.stringify(value);
  return text === undefined ? undefined : JSON.parse(text);
};

it('whatever a value is made of, its JSON form is what JSON makes of it', () => {
  const anything = fc.anything({
    withDate: true,
    withNullPrototype: true,
    withSparseArray: true,
    withBoxedValues: true,
  });
  const alike = (value: unknown) => {
    expect(jsonForm(value)).toStrictEqual(throughJson(value));
  };
  fc.assert(fc.property(anything, alike));
  fc.assert(fc.property(fc.jsonValue(), alike));
});

it.each([
  ['a negative zero', { n: -0 }],
  ['a field named __proto__', JSON.parse('{"__proto__": {"a": 1}, "b": 2}')],
  ['a form of its own', { toJSON: () => ({ a: 1 }) }],
  ['an array with a form of its own', Object.assign([1], { toJSON: () => 'x' })],
  ['fields without a value', { a: undefined, b: () => 1, c: [undefined] }],
  [
    'an instance of a class',
    new (class Money {
      cents = 1;
      get euros() {
        return this.cents / 100;
      }
    })(),
  ],
  ['deep nesting', JSON.parse(`${'['.repeat(100)}${']'.repeat(100)}`)],
  ['nothing', undefined],
])('%s is as JSON has it', (_, value) => {
  expect(jsonForm(value)).toStrictEqual(throughJson(value));
});

it('what has no JSON form is refused as JSON refuses it', () => {
  const itself: Record<string, unknown> = {};
  itself.self = itself;
  expect(() => jsonForm(itself)).toThrow(TypeError);
  expect(() => jsonForm({ n: 1n })).toThrow(TypeError);
});

it('it is a copy: what is changed afterwards is changed elsewhere', () => {
  const value = { list: [{ n: 1 }] };
  const form = jsonForm(value);
  value.list[0] = { n: 2 };
  expect(form).toEqual({ list: [{ n: 1 }] });
});
