// Reads the statements of queries/, one statement a file.
import { readFileSync } from 'node:fs';

/** The statement in `queries/<name>.sql`. */
export const statement = (name: string): string =>
  readFileSync(new URL(`../queries/${name}.sql`, import.meta.url), 'utf8').trim();
