// Folders and files stay small enough to be read at a glance.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './run-step.ts';
import { filesMatching, packageFolders, readSource } from './source-files.ts';

const MAX_SOURCES = 15;
const MAX_LINES = 300;

const isTest = (file: string) => /\.test\.ts$|\.fixture\.ts$|(^|\/)(testing|fixtures)\//.test(file);
const files = filesMatching('{apps,packages,infra,test}/**/*.{ts,mts,mjs}');
const sources = files.filter((file) => !isTest(file));

test('no folder holds more than 15 sources', () => {
  const folders = Object.groupBy(sources, dirname);
  const crowded = Object.entries(folders).flatMap(([folder, inside = []]) =>
    inside.length > MAX_SOURCES ? [`${folder} holds ${inside.length} sources`] : [],
  );
  expect(crowded).toEqual([]);
});

test('no source has more than 300 lines', () => {
  const long = sources.flatMap((file) => {
    const lines = readSource(file).trimEnd().split('\n').length;
    return lines > MAX_LINES ? [`${file} has ${lines} lines`] : [];
  });
  expect(long).toEqual([]);
});

test('every package and every app has a README.md', () => {
  expect(packageFolders().filter((folder) => !existsSync(join(root, folder, 'README.md')))).toEqual([]);
});

test('every index.ts lists what it exports by name', () => {
  const starred = files.filter((file) => /(^|\/)index\.ts$/.test(file) && /^export \*/m.test(readSource(file)));
  expect(starred).toEqual([]);
});
