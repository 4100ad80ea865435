// Builds the statement that checks whether a block is complete in every table. It folds the block's journal rows again, with the
// query of the newest fold migration, and compares the result with the tables.
import { readFileSync } from 'node:fs';
import { statement } from './statement.ts';

const FOLD_RUNS = '../migrations/0022_fold_runs.sql';

/** Parameters: those of queries/count-missing-rows.sql. */
export const countMissingRows = (): string => `WITH
journal AS (
    SELECT * FROM merge(currentDatabase(), '^journal$')
    WHERE generation = {generation: UInt32} AND stream_sequence BETWEEN {from: UInt64} AND {to: UInt64}
),
changes AS (
${selectOf(readFileSync(new URL(FOLD_RUNS, import.meta.url), 'utf8'))}
)
${statement('count-missing-rows')}`;

/** The query of a view, extracted from the statement that creates it. */
function selectOf(createView: string): string {
  const [, select] = /^CREATE MATERIALIZED VIEW [^\n]* AS\n(.*)/ms.exec(createView) ?? [];
  if (select === undefined) throw new Error(`${FOLD_RUNS} creates no materialized view`);
  return select;
}
