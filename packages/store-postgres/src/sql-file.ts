// Reads the statements of queries/, one statement a file.
import { readFileSync } from 'node:fs';

/** The text of `queries/<name>.sql`. */
export const sqlFile = (name: string): string =>
  readFileSync(new URL(`../queries/${name}.sql`, import.meta.url), 'utf8');
