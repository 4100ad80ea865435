// Finds the folder of an installed npm package, regardless of its `exports`.
// Its content is left to the caller.
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';

/** Folder and version of one of this package's dependencies; undefined if it is not installed. */
export function installedPackage(name: string): { folder: string; version: string } | undefined {
  try {
    const file = findPackageJSON(name, import.meta.url);
    if (!file) return undefined;
    return { folder: dirname(file), version: (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version };
  } catch {
    return undefined;
  }
}
