// Waits for pipelined statements of one transaction: they are sent without waiting for each other and share a round trip. The
// server runs them in order and skips all statements after a failed one.

/**
 * Resolves to the results when all statements have settled. It never settles earlier, because a statement sent after the end
 * of its transaction would take effect by itself.
 * @throws the error that failed the transaction, not the errors of the statements skipped after it
 */
export async function allPipelined<Results extends unknown[]>(
  ...sent: { [At in keyof Results]: Promise<Results[At]> }
): Promise<Results> {
  const settled = await Promise.allSettled(sent);
  const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length === 0) return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as Results;
  throw failures.find((failure) => !isSkipped(failure)) ?? failures[0];
}

/** SQLSTATE 25P02: in_failed_sql_transaction. */
const isSkipped = (failure: unknown): boolean =>
  failure instanceof Error && 'code' in failure && failure.code === '25P02';
