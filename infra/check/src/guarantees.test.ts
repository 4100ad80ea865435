// docs/guarantees.md names tests by file and title: each must exist and must not be skipped.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from './run-step.ts';

interface NamedTest {
  title: string;
  file: string;
}

const COLUMNS = 3;
const page = readFileSync(join(root, 'docs', 'guarantees.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| what cannot happen'))
  .map((line) => line.slice(1, line.lastIndexOf('|')).split('|'));

/** All links of the form `[title](../file)`. */
const namedTests = (cell: string): NamedTest[] =>
  [...cell.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)].map(([, title = '', file = '']) => ({ title, file }));

/** Position of the test, group or event vector with this title in the source; -1 if it is missing or skipped. */
function positionOf(title: string, source: string, from: number): number {
  for (const quote of ["'", '"', '`']) {
    const literal = quote + title.replaceAll(quote, `\\${quote}`) + quote;
    const at = source.indexOf(literal, from);
    const line = source.slice(source.lastIndexOf('\n', at) + 1, at);
    if (at >= 0 && !/\.(skip|todo|skipIf|runIf)\b/.test(line)) return at;
  }
  return -1;
}

/** What is wrong with a named test; undefined if it exists. */
function findFault({ title, file }: NamedTest): string | undefined {
  if (!/\.test\.ts$|\/vectors\/[^/]+\.json$/.test(file)) return `${file} is not a test file`;
  if (!existsSync(join(root, file))) return `${file} does not exist`;
  const source = readFileSync(join(root, file), 'utf8');
  let from = 0;
  for (const part of title.split(' › ')) {
    from = positionOf(part, source, from);
    if (from < 0) return `${file} has no test "${part}"`;
  }
  return undefined;
}

test('every row of the page names a promise, its reason and its tests', () => {
  expect(rows.length).toBeGreaterThan(30);
  for (const row of rows) {
    expect(row.map((cell) => cell.trim().length > 0)).toEqual(Array(COLUMNS).fill(true));
    expect(namedTests(row.at(-1) ?? '').length, row[0]).toBeGreaterThan(0);
  }
});

test('every test that the page names exists', () => {
  expect(rows.flatMap((row) => namedTests(row.at(-1) ?? '')).flatMap((named) => findFault(named) ?? [])).toEqual([]);
});

describe('a promise without a test is reported', () => {
  const file = 'infra/check/src/guarantees.test.ts';
  test.each<[string, NamedTest]>([
    ['a file that is gone', { file: 'infra/check/src/gone.test.ts', title: 'x' }],
    ['a file without tests', { file: 'infra/check/src/run-step.ts', title: 'runStep' }],
    ['a title that is gone', { file, title: ['every test', 'was renamed'].join(' ') }],
    [
      'a test of another group',
      { file, title: 'a promise without a test is reported › every test that the page names exists' },
    ],
  ])('%s', (_, named) => {
    expect(findFault(named)).toContain(named.file);
  });
});
