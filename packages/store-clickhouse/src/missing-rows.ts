// The statement that tells whether a block is whole in every table. What it should have left behind is found by folding it once
// more, as the newest migration of the fold says, from the rows that the journal holds.
import { readFileSync } from 'node:fs';
import { statement } from './statement.ts';

const FOLD_RUNS = '../migrations/0022_fold_runs.sql';

/** Parameters: as those of queries/count-missing-rows.sql. */
export const countMissingRows = (): string => `WITH
journal AS (
    SELECT * FROM merge(currentDatabase(), '^journal$')
    WHERE generation = {generation: UInt32} AND stream_sequence BETWEEN {from: UInt64} AND {to: UInt64}
),
changes AS (
${selectOf(readFileSync(new URL(FOLD_RUNS, import.meta.url), 'utf8'))}
)
${statement('count-missing-rows')}`;

/** The query of a view, out of the statement that makes it. */
function selectOf(createView: string): string {
  const [, select] = /^CREATE MATERIALIZED VIEW [^\n]* AS\n(.*)/ms.exec(createView) ?? [];
  if (select === undefined) throw new Error(`${FOLD_RUNS} makes no view`);
  return select;
}
