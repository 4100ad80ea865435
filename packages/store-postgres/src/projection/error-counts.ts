// Counts jobs by error text, in the transaction that writes or removes their rows. read/find-page.ts uses the counts.
import type { Queryable } from '../connection/open-postgres.ts';
import { allPipelined } from '../connection/pipelined-statements.ts';
import { preparedSqlFile } from '../connection/sql-file.ts';
import { BinaryArray } from '../encoding/binary-array.ts';
import type { ErrorDeltas } from './error-deltas.ts';
import type { JobChange } from './job-change.ts';

const sql = {
  add: preparedSqlFile('projection/add-error-counts'),
  deleteUnused: preparedSqlFile('projection/delete-unused-errors'),
};

/** How the changes of a batch change the counts. */
export function errorDeltas(changes: readonly Pick<JobChange, 'before' | 'job'>[]): ErrorDeltas {
  const deltas = new Map<string, number>();
  for (const { before, job } of changes) {
    if (before?.lastError === job.lastError) continue;
    add(deltas, before?.lastError, -1);
    add(deltas, job.lastError, 1);
  }
  return deltas;
}

/** How removing jobs with these errors changes the counts. */
export function deltasOfRemoved(errors: readonly (string | null)[]): ErrorDeltas {
  const deltas = new Map<string, number>();
  for (const error of errors) add(deltas, error ?? undefined, -1);
  return deltas;
}

function add(deltas: Map<string, number>, error: string | undefined, delta: number): void {
  if (error === undefined) return;
  const sum = (deltas.get(error) ?? 0) + delta;
  if (sum === 0) deltas.delete(error);
  else deltas.set(error, sum);
}

/** @param client in a transaction that has locked the checkpoint's row, so that there is no other writer */
export async function addErrorCounts(client: Queryable, deltas: ErrorDeltas): Promise<void> {
  if (deltas.size === 0) return;
  const numbers = new BinaryArray('bigint', 12 * deltas.size);
  for (const delta of deltas.values()) numbers.bigint(delta);
  const sent: Promise<unknown>[] = [client.query(sql.add, [textsOf(deltas.keys()), numbers.toParameter()])];
  const decreased = [...deltas].filter(([, delta]) => delta < 0).map(([error]) => error);
  if (decreased.length > 0) sent.push(client.query(sql.deleteUnused, [textsOf(decreased)]));
  await allPipelined(...sent);
}

function textsOf(errors: Iterable<string>): Buffer {
  const array = new BinaryArray('text', 1_024);
  for (const error of errors) array.text(error);
  return array.toParameter();
}
