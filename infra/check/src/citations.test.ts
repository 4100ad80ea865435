// Docs, READMEs and comments cite paths, packages and sections: each must exist.
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { commentsOf, missingCitations } from './citations.ts';
import { filesMatching, readSource } from './source-files.ts';

// A page below src/ is a template: it is read where it is written to.
const pages = filesMatching('{*,{apps,packages,infra,test,docs}/**/*}.md').filter((page) => !page.includes('/src/'));
const sources = filesMatching('{apps,packages,infra,test}/**/*.{ts,mts,mjs,sql}');

test('everything that a page cites exists', () => {
  const missing = pages.flatMap((page) => missingCitations(readSource(page), page).map((what) => `${page}: ${what}`));
  expect(missing).toEqual([]);
});

test('everything that a comment cites exists', () => {
  const missing = sources.flatMap((file) =>
    missingCitations(commentsOf(readSource(file))).map((what) => `${file}: ${what}`),
  );
  expect(missing).toEqual([]);
});

const FILE_NAME = /(?<![\w/.*<-])[\w./-]*?(\w[\w.-]*\.(?:ts|mjs))(?![\w-])/g;

test('every source that a comment or a page names by its file name exists', () => {
  const known = new Set(
    filesMatching('{*,.ci/*,{apps,packages,infra,test}/**/*}.{ts,mts,mjs}').map((file) => basename(file)),
  );
  const texts = [
    ...sources.map((file) => ({ file, text: commentsOf(readSource(file)) })),
    ...pages.map((file) => ({ file, text: readSource(file) })),
  ];
  const missing = texts.flatMap(({ file, text }) =>
    [...text.matchAll(FILE_NAME)].filter(([, name = '']) => !known.has(name)).map(([path]) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
});

describe('a citation of something that does not exist is noticed', () => {
  test.each([
    ['a path', ['docs', 'gone.md'].join('/')],
    ['a path of a source', ['packages', 'gone', 'src', 'index.ts'].join('/')],
    ['a package', ['@trellis', 'gone'].join('/')],
    ['an entry of a package', ['@trellis', 'lifecycle', 'gone'].join('/')],
    ['a section by its anchor', ['docs/lifecycle.md', 'gone'].join('#')],
  ])('%s', (_, cited) => {
    expect(missingCitations(`See ${cited}.`)).toEqual([cited]);
  });

  test.each(['"Long gone"', 'Long gone'])('a section by its heading: %s', (heading) => {
    expect(missingCitations(`See docs/lifecycle.md, section ${heading}.`)).toEqual(['docs/lifecycle.md#long-gone']);
  });

  test('a link of a page', () => {
    expect(missingCitations('[this](gone.md)', 'docs/lifecycle.md')).toEqual(['gone.md']);
  });
});

test('what exists, and what stands for several names, is not reported', () => {
  const text = 'packages/contracts/src, packages/<name>/README.md, apps/*/src, docs/lifecycle.md, @trellis/contracts.';
  expect(missingCitations(text)).toEqual([]);
});
