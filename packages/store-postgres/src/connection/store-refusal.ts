// Which errors of Postgres are about the content of a row. All others are about the store, or bugs.

/** Data exceptions, integrity violations, limits of the program (such as an index row that is too large). */
const CONTENT = /^(22|23|54)/;

export interface StoreRefusal {
  /** SQLSTATE. */
  storeCode: string;
  reason: string;
}

/** Why Postgres refused the content; undefined when the error is not about content. */
export function contentRefusal(error: unknown): StoreRefusal | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return CONTENT.test(error.code) ? { storeCode: error.code, reason: error.message } : undefined;
}
