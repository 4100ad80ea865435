// Waits for pipelined statements of one transaction: they are sent without waiting for each other and share a round trip. The
// server runs them in order, and none after a failed one.

/**
 * The answers, once all of them are there: a statement that is sent after its transaction has ended would count by itself.
 * @throws what made the transaction fail, not what the server says to the statements after it
 */
export async function allPipelined<Answers extends unknown[]>(
  ...sent: { [At in keyof Answers]: Promise<Answers[At]> }
): Promise<Answers> {
  const settled = await Promise.allSettled(sent);
  const failures = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  if (failures.length === 0) return settled.map((one) => (one as PromiseFulfilledResult<unknown>).value) as Answers;
  throw failures.find((failure) => !isAftermath(failure)) ?? failures[0];
}

/** in_failed_sql_transaction */
const isAftermath = (failure: unknown): boolean =>
  failure instanceof Error && 'code' in failure && failure.code === '25P02';
