// Lists the files of the repository for the checks that read them. What they check is left to each test.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run-step.ts';

const IGNORED = new Set(['node_modules', 'dist', '.trellis', '.scratch', '.turbo', 'results']);

/** Paths below the workspace's folders that match, seen from the repository's root. */
export function filesMatching(pattern: string): string[] {
  return globSync(pattern, { cwd: root, exclude: (name) => IGNORED.has(name.split('/').at(-1) ?? '') }).toSorted();
}

export const readSource = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Folders of the workspace's packages: apps, packages, infra and test. */
export const packageFolders = (): string[] =>
  filesMatching('{apps,packages,infra,test}/*/package.json').map((file) => file.slice(0, -'/package.json'.length));
