import { expect, test } from 'vitest';
import { firstDifference } from './same-answers.ts';

test('results are the same if their values are, whatever the columns are called', () => {
  expect(firstDifference([{ a: 'x', n: 1 }], [{ service: 'x', jobs: '1' }])).toBeUndefined();
});

test('percentiles may differ by 1 %', () => {
  expect(firstDifference([{ p: [7232, 0] }], [{ q: [7235, 0] }])).toBeUndefined();
  expect(firstDifference([{ p: [7232] }], [{ q: [7400] }])).toContain('row 1');
});

test.each([
  [[{ a: 'x' }], [{ a: 'y' }]],
  [[{ a: 1 }], [{ a: 1 }, { a: 2 }]],
  [[{ a: 1 }], [{ a: 1, b: 2 }]],
  [[{ a: null }], [{ a: 1 }]],
])('%j differs from %j', (ours, raw) => {
  expect(firstDifference(ours, raw)).toBeDefined();
});
