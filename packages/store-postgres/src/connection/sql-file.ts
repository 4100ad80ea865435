// Reads the statements of queries/, one statement a file.
import { readFileSync } from 'node:fs';
import type { PreparedSql } from './open-postgres.ts';

/** The text of `queries/<name>.sql`. */
export const sqlFile = (name: string): string =>
  readFileSync(new URL(`../../queries/${name}.sql`, import.meta.url), 'utf8');

/** The same as a prepared statement, for statements that run often. */
export const preparedSqlFile = (name: string): PreparedSql => ({ name, text: sqlFile(name) });
